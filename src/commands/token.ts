/**
 * `deno task token`: prints a token for this service, signed with the root key that it verifies
 * with. For standalone use; in a Databox, tokens come from the arbiter.
 */
import { parseArgs } from "node:util";
import { systemClock } from "../clock.ts";
import { exportCaveats, mintToken } from "../authorise/mint.ts";
import { readRootKey, rootKeyPath } from "../machine/root_key_file.ts";
import { readSettings, UsageError } from "../machine/settings.ts";
import { parseDuration, parseSize } from "../units.ts";
import { runCommand } from "../machine/run_command.ts";

const USAGE = `Usage: deno task token --destination URL [options]

  --destination URL   where the bearer may export to, exactly as it will write it
  --path PATH         /lp/export (default) or /export
  --method METHOD     POST (default)
  --target NAME       the service's name (else DATABOX_LOCAL_NAME, else export-service)
  --identifier TEXT   who the bearer is; tokens of one identifier share their exports
  --expires DURATION  how long the token holds, e.g. 1h (default: for ever)
  --max-bytes SIZE    largest data per export, e.g. 10KiB (default: the service's limit)`;

/**
 * The token that `args` ask for, of the service called `name`, at `now` (ms since the epoch).
 *
 * @throws {UsageError} if they ask for nonsense
 */
export function tokenFor(
  args: readonly string[],
  secret: string,
  { name, now }: { readonly name: string; readonly now: number },
): string {
  const { destination, path, method, target, identifier, expires, ...rest } = options(args);
  if (destination === undefined) throw new UsageError(USAGE);
  const lifetime = quantity("--expires", expires, parseDuration, "1h");
  const maxBytes = quantity("--max-bytes", rest["max-bytes"], parseSize, "10KiB");
  try {
    const caveats = exportCaveats({
      target: target ?? name,
      path,
      method,
      destination,
      ...(lifetime !== undefined && { expiresAt: now + lifetime }),
      ...(maxBytes !== undefined && { maxBytes }),
    });
    return mintToken(secret, { identifier, caveats });
  } catch (error) {
    // What no token can say, such as a time past the year 9999.
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

function options(args: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        destination: { type: "string" },
        path: { type: "string", default: "/lp/export" },
        method: { type: "string", default: "POST" },
        target: { type: "string" },
        identifier: { type: "string", default: "" },
        expires: { type: "string" },
        "max-bytes": { type: "string" },
      },
    });
    return values;
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${fault}\n\n${USAGE}`, { cause: error });
  }
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

if (import.meta.main) {
  await runCommand(async (print) => {
    const settings = readSettings();
    if (settings.kind === "faulty") throw new UsageError(settings.faults.join("\n"));
    const { EXPORT_SECRET, EXPORT_KV_PATH, DATABOX_LOCAL_NAME } = settings.config;
    const path = rootKeyPath(EXPORT_KV_PATH);
    const secret = EXPORT_SECRET ?? await readRootKey(path);
    if (secret === undefined) {
      throw new UsageError(`There is no root key in "${path}" yet: run deno task start once`);
    }
    print(tokenFor(Deno.args, secret, { name: DATABOX_LOCAL_NAME, now: systemClock.now() }));
  });
}
