/**
 * A log for lines that others may bring about without end: who and what is told once a minute, and only
 * so many a minute. It is not the ledger: nothing of it was refused or has left.
 */
import type { Clock } from "../clock.ts";
import { PACED_LINES_PER_MINUTE } from "../limits.ts";
import type { Log } from "../log.ts";
import { isLimit, type ProblemCode } from "./problem.ts";

const MINUTE_MS = 60_000;

/** `log`, for the first line of each event, owner and code in a minute. */
export function pacedLog(log: Log, clock: Pick<Clock, "now">): Log {
  let minute = 0;
  const told = new Set<string>();
  return (line) => {
    const now = Math.floor(clock.now() / MINUTE_MS);
    if (now !== minute) told.clear();
    minute = now;
    const which = `${line.event} ${line.owner} ${line.code}`;
    if (told.has(which) || told.size >= PACED_LINES_PER_MINUTE) return;
    told.add(which);
    log(line);
  };
}

/** Tells that `owner` was told `code`, if that is a limit. */
export function noteLimit(code: ProblemCode, owner: string, log: Log): void {
  if (isLimit(code)) log({ event: "request.limited", code, owner });
}
