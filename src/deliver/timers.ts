/** Delayed actions. None is lost when the worker stops: {@link Timers.runAll} calls them all. */
import type { Clock } from "../clock.ts";

export class Timers {
  readonly #clock: Clock;
  readonly #pending = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `action` after `ms`, or earlier on {@link runAll}. */
  after(ms: number, action: () => void): void {
    let cancel = () => {};
    const run = () => {
      cancel();
      this.#pending.delete(run);
      action();
    };
    cancel = this.#clock.after(ms, run);
    this.#pending.add(run);
  }

  /** Calls every waiting action now. */
  runAll(): void {
    for (const run of this.#pending) run();
  }
}
