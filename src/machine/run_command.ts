/** How every command ends: what it prints, what it says on failing, its exit code. */
import { UsageError } from "./settings.ts";

/** Runs `command` and ends the process: 0, 2 for a wrong call, 1 if the world does not let it. */
export async function runCommand(
  command: (print: (line: string) => void) => Promise<number | void>,
): Promise<never> {
  try {
    Deno.exit(await command(print) ?? 0);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    // deno-lint-ignore no-console -- there is nobody else to tell
    console.error(error instanceof Deno.errors.AddrInUse ? `Cannot listen: ${reason}` : reason);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}

function print(line: string): void {
  // deno-lint-ignore no-console -- standard output is where results and the log go
  console.log(line);
}
