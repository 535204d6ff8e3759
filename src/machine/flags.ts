/** Command-line flags, and how wrong usage is reported. */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { messageOf } from "./file_faults.ts";

/** The process was started wrongly; the message lists every fault, one to a line. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * Parses a command line with `node:util`.
 *
 * @throws {UsageError} with what is wrong, and `usage`
 */
export function flagsOf<T extends ParseArgsConfig>(options: T, usage: string) {
  try {
    return parseArgs(options);
  } catch (error) {
    const fault = messageOf(error);
    throw new UsageError(`${fault}\n\n${usage}`, { cause: error });
  }
}
