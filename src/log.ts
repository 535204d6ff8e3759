/**
 * One JSON line for each thing that happened. Callers pass ids, hosts, sizes, codes and times;
 * never a token, a payload, a query string or a secret.
 */
import { memoryUsage } from "node:process";

/** What is worth a line. */
export interface LogEvent {
  /** `noun.verb`, e.g. `export.accepted`. */
  readonly event: string;
  readonly [field: string]: unknown;
}

export type Log = (event: LogEvent) => void;

/**
 * Writes timestamped lines to `write`; errors are shown as their name and message. A line that
 * cannot be written is lost, without further consequences.
 */
export function jsonLog(write: (line: string) => void, now: () => number): Log {
  return (event) => {
    const entry = { at: new Date(now()).toISOString(), ...event };
    // A replacer is called for every member, so it is passed only if there may be an error to show.
    const mayHoldErrors = Object.values(event).some(isObject);
    try {
      write(mayHoldErrors ? JSON.stringify(entry, shown) : JSON.stringify(entry));
    } catch {
      // There is nowhere to report this; what must not be lost is in the ledger.
    }
  };
}

/**
 * Where a defect lies: the lines of its stack, without the message before them. Nothing while no
 * file can be opened: Deno 2.9.6 reads sources for a stack, and aborts if it cannot.
 */
export function framesOf(
  error: unknown,
  canOpenFiles: () => boolean = isMemoryTold,
): readonly string[] {
  if (!(error instanceof Error) || !canOpenFiles()) return [];
  const { name, message, stack = "" } = error;
  const head = message === "" ? name : `${name}: ${message}`;
  return stack.startsWith(head)
    ? stack.slice(head.length).trim().split("\n").map((line) => line.trim())
    : [];
}

/** The system tells the memory of a process in a file; the runtime says 0 if that cannot be opened. */
function isMemoryTold(): boolean {
  return memoryUsage.rss() > 0;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function shown(_name: string, value: unknown): unknown {
  return value instanceof Error ? `${value.name}: ${value.message}` : value;
}
