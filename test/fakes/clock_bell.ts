/**
 * Wake-ups by a clock that a test moves. They do not survive a service, or it would be the real
 * bell; but they come with the commit itself, whatever its caller gets to hear.
 */
import type { Clock } from "../../src/clock.ts";
import { WAKE_UP_GRAIN_MS } from "../../src/ledger/store_limits.ts";
import type { Bell, WakeUp } from "../../src/ledger/bell.ts";

/** What happens when a commit holds; for a store that may lie about it. */
export const whenHeld = new WeakMap<Deno.AtomicOperation, () => void>();

export class ClockBell implements Bell {
  readonly #clock: Clock;
  #ring: (lanes: readonly string[]) => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  arm(commit: Deno.AtomicOperation, wakeUps: readonly WakeUp[]): () => void {
    const now = this.#clock.now();
    let unheard = () => {};
    whenHeld.set(commit, () => {
      unheard = this.#clock.after(WAKE_UP_GRAIN_MS, () => this.#ringAll(wakeUps, now));
    });
    return () => {
      unheard();
      this.#ringAll(wakeUps, now);
    };
  }

  #ringAll(wakeUps: readonly WakeUp[], now: number): void {
    for (const { lane, at } of wakeUps) {
      if (at <= now) this.#ring([lane]);
      else this.#ringAt(at, lane);
    }
  }

  /** Like a queue that keeps the moment itself, this one rings late if the clock is put back. */
  #ringAt(at: number, lane: string): void {
    const ms = at - this.#clock.now();
    if (ms <= 0) this.#ring([lane]);
    else this.#clock.after(ms, () => this.#ringAt(at, lane));
  }

  onRing(ring: (lanes: readonly string[]) => void): void {
    this.#ring = ring;
  }

  /** The clock is heard from the beginning. */
  listen(): void {}
}
