/** Flags of a command line, and how a wrong call is told. */
import { parseArgs, type ParseArgsConfig } from "node:util";

/** The process was started wrongly; the message tells every fault, a line each. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * What `node:util` parses of a command line.
 *
 * @throws {UsageError} with what is wrong, and `usage`
 */
export function flagsOf<T extends ParseArgsConfig>(options: T, usage: string) {
  try {
    return parseArgs(options);
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${fault}\n\n${usage}`, { cause: error });
  }
}
