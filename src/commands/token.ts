/**
 * `deno task token`: prints a token for this service, signed with the root key that it verifies
 * with. For standalone use; in a Databox, tokens come from the arbiter.
 */
import { systemClock } from "../clock.ts";
import { ownerOf } from "../authorise/authorise.ts";
import { exportCaveats, mintToken } from "../authorise/mint.ts";
import { ROUTES } from "../authorise/routes.ts";
import type { Config } from "../config.ts";
import { checkSpelling } from "../egress/spelling.ts";
import { readRootKey, rootKeyPath } from "../machine/root_key_file.ts";
import { hasArbiter } from "../machine/secret_source.ts";
import { flagsOf, UsageError } from "../machine/flags.ts";
import { readSettings } from "../machine/settings.ts";
import { parseDuration, parseSize } from "../units.ts";
import { runCommand } from "../machine/run_command.ts";

const USAGE = `Usage: deno task token --destination URL [options]

  --destination URL   where the bearer may export to, exactly as it will write it
  --path PATH         /lp/export (default), /export, or /ws/export for the WebSocket; a token is
                      good for one of them
  --target NAME       the service's name (else DATABOX_LOCAL_NAME, else export-service)
  --identifier TEXT   who the bearer is (default: empty, the same for all); tokens of one identifier
                      and destination share their exports
  --expires DURATION  how long the token holds, in ms, s, m, h or d, e.g. 1h (default: for ever)
  --max-bytes SIZE    largest data per export, e.g. 10KiB (default: the service's limit)
  --owner             print what log and ledger call the bearer instead`;

/** What a token permits its bearer, as given on the command line. */
export type TokenOptions = Omit<ReturnType<typeof tokenOptions>, "owner">;

/** @throws {UsageError} if `args` are invalid, or name no destination */
export function tokenOptions(args: readonly string[]) {
  const { destination, expires, "max-bytes": maxBytes, ...others } = flagsIn(args);
  if (destination === undefined) throw new UsageError(USAGE);
  const spelling = checkSpelling(destination);
  if (spelling.kind === "misspelt") {
    throw new UsageError(`--destination "${destination}" cannot be used: ${spelling.because}`);
  }
  return {
    ...others,
    destination,
    lifetimeMs: quantity("--expires", expires, parseDuration, "1h"),
    maxBytes: quantity("--max-bytes", maxBytes, parseSize, "10KiB"),
  };
}

/**
 * A token made at `now` (ms since the epoch), for the service called `name` unless the options name
 * another.
 *
 * @throws {UsageError} if the options ask for what no token can say
 */
export function tokenFor(
  { identifier, target, lifetimeMs, maxBytes, ...others }: TokenOptions,
  secret: string,
  { name, now }: { readonly name: string; readonly now: number },
): string {
  try {
    const caveats = exportCaveats({
      ...others,
      target: target ?? name,
      ...(lifetimeMs !== undefined && { expiresAt: now + lifetimeMs }),
      ...(maxBytes !== undefined && { maxBytes }),
    });
    return mintToken(secret, { identifier, caveats });
  } catch (error) {
    // Such as a time past the year 9999.
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

function flagsIn(args: readonly string[]) {
  const options = {
    destination: { type: "string" },
    path: { type: "string", default: "/lp/export" },
    target: { type: "string" },
    identifier: { type: "string", default: "" },
    expires: { type: "string" },
    "max-bytes": { type: "string" },
    owner: { type: "boolean", default: false },
  } as const;
  const { values } = flagsOf({ args: [...args], options }, USAGE);
  const method = ROUTES.get(values.path);
  if (method === undefined) {
    const paths = [...ROUTES.keys()].join(", ");
    throw new UsageError(`--path must be one of ${paths}: "${values.path}"`);
  }
  return { ...values, method };
}

function quantity(
  flag: string,
  text: string | undefined,
  parse: (text: string) => number | undefined,
  example: string,
): number | undefined {
  if (text === undefined) return undefined;
  const value = parse(text);
  if (value === undefined) throw new UsageError(`${flag} must be like ${example}: "${text}"`);
  return value;
}

async function ownSecret(config: Config): Promise<string | undefined> {
  if (await hasArbiter(config)) {
    throw new UsageError("This service asks an arbiter what tokens are signed with: get one there");
  }
  return await readRootKey(rootKeyPath(config.EXPORT_KV_PATH));
}

if (import.meta.main) {
  await runCommand(async (print) => {
    const { owner, ...options } = tokenOptions(Deno.args);
    if (owner) return print(ownerOf(options.identifier, options.destination));
    const config = readSettings();
    const { EXPORT_KV_PATH, DATABOX_LOCAL_NAME } = config;
    const secret = config.EXPORT_SECRET ?? await ownSecret(config);
    if (secret === undefined) {
      const path = rootKeyPath(EXPORT_KV_PATH);
      throw new UsageError(`There is no root key in "${path}" yet: run deno task start once`);
    }
    print(tokenFor(options, secret, { name: DATABOX_LOCAL_NAME, now: systemClock.now() }));
  }, USAGE);
}
