/**
 * A log for lines that clients can cause without end: each is written once a minute at most, with a
 * maximum per event. Not for the ledger: these lines are not about anything refused or sent.
 */
import type { Clock } from "../clock.ts";
import { THROTTLED_LINES_PER_MINUTE } from "../limits.ts";
import type { Log } from "../log.ts";
import { isLimit, type ProblemCode } from "./problem.ts";

const MINUTE_MS = 60_000;

/** `log`, cut to the first line a minute of each owner, code and error, and a maximum per event. */
export function throttledLog(log: Log, clock: Pick<Clock, "now">): Log {
  let minute = 0;
  const toldByEvent = new Map<string, Set<string>>();
  return (line) => {
    const now = Math.floor(clock.now() / MINUTE_MS);
    if (now !== minute) toldByEvent.clear();
    minute = now;
    const told = toldByEvent.get(line.event) ?? new Set();
    toldByEvent.set(line.event, told);
    const which = `${line.owner} ${line.code} ${line.error}`;
    if (told.has(which) || told.size >= THROTTLED_LINES_PER_MINUTE) return;
    told.add(which);
    log(line);
  };
}

/** Logs that `owner` was answered with `code`, if that is a limit. */
export function noteLimit(code: ProblemCode, owner: string, log: Log): void {
  if (isLimit(code)) log({ event: "request.limited", code, owner });
}
