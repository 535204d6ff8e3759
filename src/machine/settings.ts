/** Where settings come from: flags, then the environment, then secret files. */
import { join } from "node:path";
import { type Config, type ConfigResult, readConfig, SECRET_NAMES } from "../config.ts";
import { explained } from "./file_faults.ts";
import { flagsOf, UsageError } from "./flags.ts";

/** Settings that have a flag too. */
export interface Flags {
  readonly port?: string;
  readonly secret?: string;
  readonly help?: boolean;
}

export const USAGE = `Usage: deno task start [-p PORT] [-s SECRET]

  -p, --port PORT      listen on PORT (else DATABOX_LOCAL_PORT, else 8080)
  -s, --secret SECRET  verify tokens with SECRET (else EXPORT_SECRET); process lists show it
  -h, --help           say this

All settings are in README.md under "Configure it".`;

/**
 * Parses the flags of the service: `-p/--port`, `-s/--secret`, `-h/--help`.
 *
 * @throws {UsageError} for any other
 */
export function parseFlags(args: readonly string[]): Flags {
  const options = {
    port: { type: "string", short: "p" },
    secret: { type: "string", short: "s" },
    help: { type: "boolean", short: "h" },
  } as const;
  return flagsOf({ args: [...args], options }, USAGE).values;
}

/** What an operator should know about these settings, though they are permitted. */
export function warningsFor(flags: Flags, config: Config): string[] {
  const warnings: string[] = [];
  if (flags.secret !== undefined) {
    warnings.push("-s/--secret shows in process lists: set EXPORT_SECRET, or a file of that name");
  }
  if (config.EXPORT_UNSAFE_ALLOW_LOOPBACK) {
    warnings.push("EXPORT_UNSAFE_ALLOW_LOOPBACK is set: data may be sent to this very machine");
  }
  if (config.EXPORT_SCHEMES.includes("http")) {
    warnings.push("EXPORT_SCHEMES has http: data may leave the box unencrypted");
  }
  if (!config.EXPORT_REQUIRE_CAVEATS.includes("destination") && config.EXPORT_EGRESS !== "listed") {
    const reach = config.EXPORT_EGRESS === "lan" ? "public and private" : "public";
    warnings.push(
      `EXPORT_REQUIRE_CAVEATS lacks destination: a token without one reaches every ${reach} address`,
    );
  }
  const listed = config.EXPORT_ALLOW_HOSTS.length + config.EXPORT_ALLOW_CIDRS.length;
  if (config.EXPORT_EGRESS === "listed" && listed === 0) {
    warnings.push("EXPORT_EGRESS is listed and nothing is: every destination is refused");
  }
  return warnings;
}

/**
 * All settings of this process.
 *
 * @throws {UsageError} that lists every fault
 */
export function readSettings(flags: Flags = {}): Config {
  const fromFlags = new Map([
    ["DATABOX_LOCAL_PORT", flags.port],
    ["EXPORT_SECRET", flags.secret],
  ]);
  const given = (name: string) => fromFlags.get(name) ?? Deno.env.get(name);
  const folder = given("EXPORT_SECRETS_DIR") ?? "/run/secrets";
  return permitted(
    readConfig((name) =>
      given(name) ?? (SECRET_NAMES.includes(name) ? readSecret(folder, name) : undefined)
    ),
  );
}

/** @throws {UsageError} */
export function permitted(result: ConfigResult): Config {
  if (result.kind === "faulty") throw new UsageError(result.faults.join("\n"));
  return result.config;
}

/** A secret in a file of its own. */
function readSecret(folder: string, name: string): string | undefined {
  const path = join(folder, name);
  try {
    return Deno.readTextFileSync(path).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw explained("read", path, error);
  }
}
