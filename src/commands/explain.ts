/**
 * `deno task explain URL`: what the configured policy does with a destination, and why, rule by
 * rule. With `--resolve` it also looks up the addresses of a name. Never connects anywhere, never
 * reads a file or a secret.
 */
import { egressPolicy, readConfig, SECRET_NAMES, type SettingName } from "../config.ts";
import { isAddress } from "../egress/cidr.ts";
import { checkAddresses, checkDestination, type Ground } from "../egress/destination.ts";
import { type Resolve, systemResolve } from "../egress/guard.ts";
import { adviceFor, type Step } from "../egress/rules.ts";
import { hostOf } from "../egress/spelling.ts";
import { runCommand } from "../machine/run_command.ts";
import { flagsOf, UsageError } from "../machine/flags.ts";
import { permitted } from "../machine/settings.ts";

const USAGE = `Usage: deno task explain URL [--resolve]

  --resolve   ask for the addresses of the URL's host and judge these too

Exits 0 if the settings in the environment permit the destination, 1 if they refuse it, 2 if one of
them or the call is wrong.`;

export interface Explanation {
  readonly lines: readonly string[];
  readonly code: 0 | 1;
}

/** Explains a destination; its name is resolved if `resolve` is given. */
export async function explain(
  uri: string,
  ground: Ground,
  resolve: Resolve | undefined,
): Promise<Explanation> {
  const first = checkDestination(uri, ground);
  const lines = first.steps.flatMap(told);
  if (first.kind === "refused") return refused(lines, adviceFor(first.rule, ground.policy));
  const host = hostOf(first.url);
  if (isAddress(host)) return { lines: [...lines, "permitted"], code: 0 };
  if (resolve === undefined) {
    const so =
      "permitted when it is accepted; its addresses are judged at each attempt (--resolve)";
    return { lines: [...lines, so], code: 0 };
  }
  const addresses = await resolve(host).catch(() => []);
  if (addresses.length === 0) {
    return { lines: [...lines, `nothing can be sent: ${host} has no address for now`], code: 1 };
  }
  const second = checkAddresses(first.url, addresses, ground);
  lines.push(...second.steps.flatMap(told).filter((line) => !lines.includes(line)));
  return second.kind === "refused"
    ? refused(lines, adviceFor(second.rule, ground.policy))
    : { lines: [...lines, "permitted"], code: 0 };
}

function refused(lines: readonly string[], words: string): Explanation {
  return { lines: [...lines, `refused; the app is told: ${words}`], code: 1 };
}

function told({ rule, holds, because, setting }: Step): string[] {
  const line = `${holds ? "yes" : "no "}  ${rule.padEnd(12)}  ${because}`;
  if (holds) return [line];
  const change = setting === undefined ? "no setting changes this" : `to change this: ${setting}`;
  return [line, `${" ".repeat(19)}${change}`];
}

/**
 * The URL to explain, and whether to resolve its name.
 *
 * @throws {UsageError} if `args` ask for anything else
 */
export function explainArguments(args: readonly string[]): { uri: string; resolves: boolean } {
  const options = { resolve: { type: "boolean", default: false } } as const;
  const parsed = flagsOf({ args: [...args], options, allowPositionals: true }, USAGE);
  const { values: { resolve: resolves }, positionals: [uri, ...others] } = parsed;
  if (uri === undefined) throw new UsageError(USAGE);
  if (others.length === 0) return { uri, resolves };
  throw new UsageError(`One URL at a time, not also ${others.join(" ")}\n\n${USAGE}`);
}

/** The settings as the service would read them, without those that do not affect destinations. */
function ground(): Ground {
  const isRead = (name: SettingName) => name.startsWith("EXPORT_") && !SECRET_NAMES.includes(name);
  const config = permitted(readConfig((name) => isRead(name) ? Deno.env.get(name) : undefined));
  const own = Deno.networkInterfaces().map(({ address }) => address);
  return { policy: egressPolicy(config), own };
}

if (import.meta.main) {
  await runCommand(async (print) => {
    const { uri, resolves } = explainArguments(Deno.args);
    const { lines, code } = await explain(uri, ground(), resolves ? systemResolve : undefined);
    for (const line of lines) print(line);
    return code;
  }, USAGE);
}
