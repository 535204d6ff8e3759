/**
 * What an operator may set, read once. All faults are told at once; a secret has no default and is
 * never shown. Never reads the environment or a file by itself: `main.ts` hands both in.
 */
import { z } from "zod";
import { CAVEAT_NAMES, type CaveatName } from "./authorise/authorise.ts";
import { DEFAULTS, PAYLOAD_BYTES_CEILING } from "./limits.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

const DAY_MS = 86_400_000;

const settings = z.object({
  /** The name that tokens must have as their `target`. */
  DATABOX_LOCAL_NAME: z.string().min(1, "must not be empty").default("export-service"),
  DATABOX_LOCAL_PORT: z.string().default(`${DEFAULTS.port}`).transform((text, context) => {
    const port = Number(text);
    if (/^\d+$/.test(text) && port <= 65_535) return port;
    context.addIssue("must be a port number, 0 to 65535");
    return z.NEVER;
  }),
  /** The arbiter's secret; without one the service runs standalone. */
  EXPORT_SECRET: z.string().min(1, "must not be empty").optional(),
  /** Where the store is: a file, or `:memory:`. */
  EXPORT_KV_PATH: z.string().min(1, "must not be empty").default("data/export.kv"),
  /** Folder with secrets as files; `EXPORT_SECRET` may be one. */
  EXPORT_SECRETS_DIR: z.string().min(1, "must not be empty").default("/run/secrets"),
  /** File with a CA, in PEM, that destinations may be verified against besides the usual ones. */
  EXPORT_EXTRA_CA: z.string().min(1, "must not be empty").optional(),
  EXPORT_UNSAFE_ALLOW_LOOPBACK: flag(),
  EXPORT_REQUIRE_CAVEATS: z.string().default("target,path,method,destination")
    .transform((text, context) => {
      const names = text.split(",").map((name) => name.trim()).filter((name) => name !== "");
      if (names.every(isCaveatName)) return names;
      context.addIssue(`must be names of caveats with commas between: ${CAVEAT_NAMES.join(", ")}`);
      return z.NEVER;
    }),
  EXPORT_BODY_LIMIT: size(DEFAULTS.bodyBytes),
  EXPORT_RESPONSE_LIMIT: size(DEFAULTS.answerBytes),
  EXPORT_RETENTION: duration(DEFAULTS.retentionMs, 1_000, 365 * DAY_MS),
  EXPORT_ATTEMPT_TIMEOUT: duration(DEFAULTS.attemptTimeoutMs, 100, 600_000),
  EXPORT_GIVE_UP_AFTER: duration(DEFAULTS.giveUpAfterMs, 0, 30 * DAY_MS),
  /** Statuses of answers that are tried again. */
  EXPORT_RETRY_STATUSES: z.string().default("").transform((text, context) => {
    const statuses = text.split(",").map((status) => status.trim()).filter((each) => each !== "");
    if (statuses.every((status) => /^[45]\d\d$/.test(status))) return statuses.map(Number);
    context.addIssue("must be statuses from 400 to 599 with commas between, such as 429,503");
    return z.NEVER;
  }),
  EXPORT_PARALLEL: count(DEFAULTS.parallel, 1_024),
  EXPORT_PARALLEL_PER_HOST: count(DEFAULTS.parallelPerHost, 1_024),
});

/** The settings, parsed: durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof settings>;

/** Names of the environment variables that are read; the only ones the process needs to see. */
export const SETTING_NAMES = settings.keyof().options;

export type ConfigResult =
  | { readonly kind: "read"; readonly config: Config }
  | { readonly kind: "faulty"; readonly faults: readonly string[] };

/**
 * Reads all settings. `source` answers the value of a name, or `undefined` where it is not set.
 */
export function readConfig(source: (name: string) => string | undefined): ConfigResult {
  const given = Object.fromEntries(SETTING_NAMES.map((name) => [name, source(name)]));
  const { success, data, error } = settings.safeParse(given);
  if (success) return { kind: "read", config: data };
  return {
    kind: "faulty",
    faults: error.issues.map(({ path, message }) => `${path.join(".")} ${message}`),
  };
}

/** The settings as they are printed at start; secrets only as set or unset. */
export function describeConfig(config: Config): Record<string, unknown> {
  return {
    ...config,
    EXPORT_SECRET: config.EXPORT_SECRET === undefined ? "unset" : "set",
    EXPORT_BODY_LIMIT: formatSize(config.EXPORT_BODY_LIMIT),
    EXPORT_RESPONSE_LIMIT: formatSize(config.EXPORT_RESPONSE_LIMIT),
    EXPORT_RETENTION: formatDuration(config.EXPORT_RETENTION),
    EXPORT_ATTEMPT_TIMEOUT: formatDuration(config.EXPORT_ATTEMPT_TIMEOUT),
    EXPORT_GIVE_UP_AFTER: formatDuration(config.EXPORT_GIVE_UP_AFTER),
  };
}

function isCaveatName(name: string): name is CaveatName {
  return CAVEAT_NAMES.some((known) => known === name);
}

function flag() {
  return z.stringbool("must be 1 or 0").default(false);
}

function duration(preset: number, min: number, max: number) {
  return quantity(parseDuration, formatDuration, { preset, min, max, example: "30s or 24h" });
}

function size(preset: number) {
  const bounds = { preset, min: 1, max: PAYLOAD_BYTES_CEILING, example: "512KiB or 1MiB" };
  return quantity(parseSize, formatSize, bounds);
}

function count(preset: number, max: number) {
  const parse = (text: string) => /^\d+$/.test(text.trim()) ? Number(text) : undefined;
  return quantity(parse, String, { preset, min: 1, max, example: "8" });
}

/** A number with its unit, within bounds. */
function quantity(
  parse: (text: string) => number | undefined,
  format: (value: number) => string,
  bounds: {
    readonly preset: number;
    readonly min: number;
    readonly max: number;
    readonly example: string;
  },
) {
  const { preset, min, max, example } = bounds;
  return z.string().default(format(preset)).transform((text, context) => {
    const value = parse(text);
    if (value === undefined) context.addIssue(`must be a number with its unit, such as ${example}`);
    else if (value >= min && value <= max) return value;
    else context.addIssue(`must be between ${format(min)} and ${format(max)}`);
    return z.NEVER;
  });
}
