/** What a service gets besides its store, each call of it under some {@link Trouble}. */
import type { Clock } from "../../src/clock.ts";
import type { Bell } from "../../src/ledger/bell.ts";
import { jsonLog, type Log, type LogEvent } from "../../src/log.ts";
import { STALL_MS, type Trouble } from "./fault.ts";

/** Timers that cannot be set, are set all the same, or come late; none after a crash. */
export function faultyClock(clock: Clock, trouble: Trouble): Clock {
  return {
    now: () => clock.now(),
    after(ms, action) {
      const alive = () => trouble.dead || action();
      if (trouble.dead) return () => {};
      return trouble.passNow(
        () => clock.after(ms, alive),
        () => clock.after(ms + STALL_MS, alive),
        "timer",
      );
    },
  };
}

/** Wake-ups that cannot be added to a commit. */
export function faultyBell(bell: Bell, trouble: Trouble): Bell {
  return {
    arm(commit, wakeUps) {
      const arm = () => bell.arm(commit, wakeUps);
      return trouble.passNow(arm, arm);
    },
    onRing: (ring) => bell.onRing((lanes) => trouble.dead || ring(lanes)),
    listen: () => bell.listen(),
  };
}

/** A log whose lines cannot be written; `note` gets the events of those that can. */
export function faultyLog(note: (event: LogEvent) => void, clock: Clock, trouble: Trouble): Log {
  const write = (line: string) => {
    const writing = () => note(JSON.parse(line));
    trouble.passNow(writing, writing);
  };
  return jsonLog(write, () => clock.now());
}
