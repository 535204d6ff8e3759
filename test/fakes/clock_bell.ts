/** Wake-ups by a clock that a test moves. Not durable, or it would be the real one. */
import type { Clock } from "../../src/clock.ts";
import type { Bell, WakeUp } from "../../src/ledger/bell.ts";

export class ClockBell implements Bell {
  readonly #clock: Clock;
  #ring: (lanes: readonly string[]) => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  arm(_commit: Deno.AtomicOperation, wakeUps: readonly WakeUp[]): () => void {
    return () => {
      for (const { lane, at } of wakeUps) {
        const ms = at - this.#clock.now();
        if (ms <= 0) this.#ring([lane]);
        else this.#clock.after(ms, () => this.#ring([lane]));
      }
    };
  }

  listen(ring: (lanes: readonly string[]) => void): void {
    this.#ring = ring;
  }
}
