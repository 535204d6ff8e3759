/** Lanes to look at again at a time by the wall clock, without a wake-up. */
import type { Clock } from "../clock.ts";
import { CLOCK_CHANGE_MS, LOOK_AGAIN_MAX_MS } from "../limits.ts";
import type { Timers } from "./timers.ts";

export class Resting {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #wake: (lane: string) => void;
  /** When each lane is to be looked at. */
  readonly #until = new Map<string, number>();
  #stopped = false;

  constructor(clock: Clock, timers: Timers, wake: (lane: string) => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#wake = wake;
  }

  /**
   * Wakes a lane after `ms`, or sooner if the clock was changed, which may change what is due. For
   * 0 or less nothing is planned: the lane is already taken care of.
   */
  lookAgain(lane: string, ms: number): void {
    const at = this.#clock.now() + ms;
    if (ms <= 0 || this.#stopped || (this.#until.get(lane) ?? Infinity) <= at) return;
    this.#until.set(lane, at);
    this.#rest(lane, ms, at);
  }

  /** Plans nothing more. */
  stop(): void {
    this.#stopped = true;
  }

  /** Waits in steps, by a timer, which no change of the clock delays, unlike a wake-up. */
  #rest(lane: string, ms: number, at: number): void {
    const stepMs = Math.min(ms, LOOK_AGAIN_MAX_MS);
    const begun = this.#clock.now();
    this.#timers.after(stepMs, () => {
      // Another look at the lane was planned for sooner.
      if (this.#until.get(lane) !== at) return;
      const wasChanged = Math.abs(this.#clock.now() - begun - stepMs) > CLOCK_CHANGE_MS;
      if (stepMs < ms && !wasChanged && !this.#stopped) return this.#rest(lane, ms - stepMs, at);
      this.#until.delete(lane);
      this.#wake(lane);
    });
  }
}
