/**
 * A log for lines that others may bring about without end: each is told once a minute, and of an event
 * only so many. It is not the ledger: nothing of it was refused or has left.
 */
import type { Clock } from "../clock.ts";
import { PACED_LINES_PER_MINUTE } from "../limits.ts";
import type { Log } from "../log.ts";
import { isLimit, type ProblemCode } from "./problem.ts";

const MINUTE_MS = 60_000;

/** `log`, for the first line of each owner, code and error in a minute, and so many of each event. */
export function pacedLog(log: Log, clock: Pick<Clock, "now">): Log {
  let minute = 0;
  const toldByEvent = new Map<string, Set<string>>();
  return (line) => {
    const now = Math.floor(clock.now() / MINUTE_MS);
    if (now !== minute) toldByEvent.clear();
    minute = now;
    const told = toldByEvent.get(line.event) ?? new Set();
    toldByEvent.set(line.event, told);
    const which = `${line.owner} ${line.code} ${line.error}`;
    if (told.has(which) || told.size >= PACED_LINES_PER_MINUTE) return;
    told.add(which);
    log(line);
  };
}

/** Tells that `owner` was told `code`, if that is a limit. */
export function noteLimit(code: ProblemCode, owner: string, log: Log): void {
  if (isLimit(code)) log({ event: "request.limited", code, owner });
}
