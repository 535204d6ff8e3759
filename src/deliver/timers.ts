/** Actions that wait for their time. None is lost when there is no more time to wait: all are due then. */
import type { Clock } from "../clock.ts";

export class Timers {
  readonly #clock: Clock;
  readonly #pending = new Set<() => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Calls `action` after `ms`, or when all are due. */
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

  /** Calls every action that waits. */
  runAll(): void {
    for (const run of this.#pending) run();
  }
}
