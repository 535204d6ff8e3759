/** How every command ends: what it prints, what it says on failing, its exit code. */
import { messageOf } from "./file_faults.ts";
import { UsageError } from "./flags.ts";

/** Takes a line. */
export type Print = (line: string) => void;

/**
 * Runs `command`, which may print and warn, and exits: with 0 or its own code, 2 for wrong usage, 1 for any other failure.
 *
 * @param usage printed instead if `--help` is given
 */
export async function runCommand(
  command: (print: Print, warn: Print) => Promise<number | void>,
  usage?: string,
): Promise<never> {
  try {
    if (usage !== undefined && Deno.args.includes("--help")) {
      print(usage);
      Deno.exit(0);
    }
    Deno.exit(await command(print, warn) ?? 0);
  } catch (error) {
    warn(reasonOf(error));
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}

function reasonOf(error: unknown): string {
  const reason = messageOf(error);
  if (/Requires (read|write) access/.test(reason)) return `${reason}\n${PLACES}`;
  return /disk is full/.test(reason) ? `${reason}\n${FULL}` : reason;
}

const PLACES = "The process may use files in data/ and read those in /run/secrets; " +
  'for other places see "Configure it" in README.md.';

const FULL = "Free a MiB on the disk that holds the store, then start again: below " +
  "EXPORT_FREE_SPACE_FLOOR the service runs, and accepts nothing new.";

function print(line: string): void {
  // deno-lint-ignore no-console -- standard output is where results and the log go
  console.log(line);
}

function warn(line: string): void {
  // deno-lint-ignore no-console -- there is nobody else to tell
  console.error(line);
}
