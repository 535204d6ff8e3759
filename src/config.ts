/**
 * The operator's settings, read once. All faults are reported together; a secret has no default and
 * is never shown. Never reads the environment or a file itself: `machine/settings.ts` does.
 */
import { z } from "zod";
import { CAVEAT_NAMES, type CaveatName } from "./authorise/authorise.ts";
import {
  DEFAULT_POLICY,
  EGRESS_MODES,
  type EgressPolicy,
  type Entry,
  readAllowCidr,
  readAllowHost,
  readDenyCidr,
  readNat64Prefix,
  readPort,
  readScheme,
} from "./egress/policy.ts";
import { limitSettings } from "./limit_settings.ts";
import { DEFAULTS, FREE_SPACE_FLOOR_CEILING } from "./limits.ts";
import { count, duration, shown, size } from "./quantities.ts";

const DAY_MS = 86_400_000;

/** How a secret is printed. */
const SECRET = { show: (value: unknown) => value === undefined ? "unset" : "set" };
/** How entries are printed: as the operator wrote them. */
const ENTRIES = {
  show: (value: unknown) =>
    Array.isArray(value) ? value.map((entry) => entry.text ?? entry) : value,
};

const settings = z.object({
  /** The name that tokens must have as their `target`. */
  DATABOX_LOCAL_NAME: z.string().min(1, "must not be empty").default("export-service"),
  DATABOX_LOCAL_PORT: z.string().default(`${DEFAULTS.port}`).transform((text, context) => {
    const port = Number(text);
    if (/^\d+$/.test(text) && port <= 65_535) return port;
    context.addIssue("must be a port number, 0 to 65535");
    return z.NEVER;
  }),
  /** Where to ask the arbiter for its secret: `tcp://` for Zest, `https://` for older arbiters. */
  DATABOX_ARBITER_ENDPOINT: z.string().optional().transform((text, context) => {
    if (text === undefined) return undefined;
    const url = URL.parse(text);
    const whole = /^(tcp:\/\/[^/?#@]+:\d+|https:\/\/[^/?#@]+)\/?$/.test(text);
    if (url !== null && whole) return url;
    context.addIssue("must be like tcp://arbiter:4444 or https://arbiter:8080");
    return z.NEVER;
  }),
  /** The arbiter's secret; without one, and without an arbiter, the service runs standalone. */
  EXPORT_SECRET: z.string().min(1, "must not be empty").optional()
    .register(shown, SECRET),
  /** The token for `GET /metrics`, too long to guess; without one there are no metrics. */
  EXPORT_METRICS_TOKEN: z.string()
    .regex(/^[\w.~+/=-]{16,}$/, "must be 16 or more letters, digits or -._~+/=").optional()
    .register(shown, SECRET),
  /** Where the store is: a file, or `:memory:`. */
  EXPORT_KV_PATH: z.string().min(1, "must not be empty").default("data/export.kv"),
  /** Space that must stay free on the disk of the store. */
  EXPORT_FREE_SPACE_FLOOR: size(DEFAULTS.freeSpaceFloorBytes, 0, FREE_SPACE_FLOOR_CEILING),
  /** Folder with secrets as files; `EXPORT_SECRET` and `EXPORT_METRICS_TOKEN` may be among them. */
  EXPORT_SECRETS_DIR: z.string().min(1, "must not be empty").default("/run/secrets"),
  /** File with a CA, in PEM, that destinations may be verified against besides the usual ones. */
  EXPORT_EXTRA_CA: z.string().min(1, "must not be empty").optional(),
  /** How long tokens signed with a former secret of the arbiter stay valid. */
  EXPORT_SECRET_GRACE: duration(DEFAULTS.secretGraceMs, 0, 365 * DAY_MS),
  /** Where data may go at all; the lists below open and close more. */
  EXPORT_EGRESS: z.enum(EGRESS_MODES, `must be one of ${EGRESS_MODES.join(", ")}`)
    .default(DEFAULT_POLICY.mode),
  EXPORT_ALLOW_HOSTS: list(readAllowHost, []),
  EXPORT_ALLOW_CIDRS: list(readAllowCidr, []),
  EXPORT_DENY_CIDRS: list(readDenyCidr, []),
  EXPORT_SCHEMES: list(readScheme, DEFAULT_POLICY.schemes),
  EXPORT_PORTS: list(readPort, DEFAULT_POLICY.ports),
  EXPORT_NAT64_PREFIXES: list(readNat64Prefix, []),
  EXPORT_UNSAFE_ALLOW_LOOPBACK: flag(),
  EXPORT_REQUIRE_CAVEATS: z.string().default("target,path,method,destination")
    .transform((text, context) => {
      const names = entriesOf(text);
      if (names.length > 0 && names.every(isCaveatName)) return names;
      context.addIssue(`must name caveats, separated by commas: ${CAVEAT_NAMES.join(", ")}`);
      return z.NEVER;
    }),
  EXPORT_BODY_LIMIT: size(DEFAULTS.payloadBytesMax),
  EXPORT_RESPONSE_LIMIT: size(DEFAULTS.answerBytes),
  EXPORT_RETENTION: duration(DEFAULTS.retentionMs, 1_000, 365 * DAY_MS),
  EXPORT_ATTEMPT_TIMEOUT: duration(DEFAULTS.attemptTimeoutMs, 100, 600_000),
  EXPORT_GIVE_UP_AFTER: duration(DEFAULTS.giveUpAfterMs, 0, 30 * DAY_MS),
  /** Statuses of answers after which delivery is tried again. */
  EXPORT_RETRY_STATUSES: z.string().default("").transform((text, context) => {
    const statuses = entriesOf(text);
    if (statuses.every((status) => /^[45]\d\d$/.test(status))) return statuses.map(Number);
    context.addIssue("must be statuses from 400 to 599, separated by commas, such as 429,503");
    return z.NEVER;
  }),
  EXPORT_PARALLEL: count(DEFAULTS.parallel, 1_024),
  EXPORT_PARALLEL_PER_HOST: count(DEFAULTS.parallelPerHost, 1_024),
  ...limitSettings,
});

/** The settings, parsed: durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof settings>;

export type SettingName = keyof Config;

/** Names of the environment variables that are read; the only ones the process needs to see. */
export const SETTING_NAMES = settings.keyof().options;

/** Settings that are secrets: printed as set or unset, and also read from files. */
export const SECRET_NAMES = SETTING_NAMES.filter((name) =>
  shown.get(settings.shape[name]) === SECRET
);

export type ConfigResult =
  | { readonly kind: "read"; readonly config: Config }
  | { readonly kind: "faulty"; readonly faults: readonly string[] };

/**
 * Reads all settings. `source` gives the value of a name, or `undefined` where it is not set.
 */
export function readConfig(source: (name: SettingName) => string | undefined): ConfigResult {
  const given = Object.fromEntries(SETTING_NAMES.map((name) => [name, source(name)]));
  const { success, data, error } = settings.safeParse(given);
  if (success) return { kind: "read", config: data };
  return {
    kind: "faulty",
    faults: error.issues.map(({ path, message }) => `${path.join(".")} ${message}`),
  };
}

/** The settings that say where data may go. */
export function egressPolicy(config: Config): EgressPolicy {
  return {
    mode: config.EXPORT_EGRESS,
    schemes: config.EXPORT_SCHEMES,
    ports: config.EXPORT_PORTS,
    allowHosts: config.EXPORT_ALLOW_HOSTS,
    allowCidrs: config.EXPORT_ALLOW_CIDRS,
    denyCidrs: config.EXPORT_DENY_CIDRS,
    nat64Prefixes: config.EXPORT_NAT64_PREFIXES,
    allowLoopback: config.EXPORT_UNSAFE_ALLOW_LOOPBACK,
  };
}

/** The settings as they are printed at start; secrets only as set or unset. */
export function describeConfig(config: Config): Record<string, unknown> {
  return Object.fromEntries(SETTING_NAMES.map((name) => {
    const value: unknown = config[name];
    return [name, shown.get(settings.shape[name])?.show(value) ?? value];
  }));
}

function isCaveatName(name: string): name is CaveatName {
  return CAVEAT_NAMES.some((known) => known === name);
}

/** Comma-separated entries; every fault is reported. May be empty only if the default is. */
function list<T>(read: (text: string) => Entry<T>, preset: readonly T[]) {
  return z.string().default(preset.join()).transform((text, context): readonly T[] => {
    const entries = entriesOf(text).map(read);
    for (const entry of entries) if (entry.kind === "faulty") context.addIssue(entry.fault);
    if (entries.length === 0 && preset.length > 0) context.addIssue("must not be empty");
    return entries.flatMap((entry) => entry.kind === "read" ? [entry.value] : []);
  }).register(shown, ENTRIES);
}

function entriesOf(text: string): string[] {
  return text.split(",").map((entry) => entry.trim()).filter((entry) => entry !== "");
}

function flag() {
  return z.enum(["0", "1"], "must be 1 or 0").default("0").transform((text) => text === "1");
}
