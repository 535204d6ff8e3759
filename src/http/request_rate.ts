/**
 * How many requests an owner may make a second. Never waits, and never counts callers without a
 * valid token: they have no name, and refusing them costs little.
 */
import { BURST_MS, draw } from "../bucket.ts";
import type { Clock } from "../clock.ts";

export class RequestRate {
  readonly #clock: Pick<Clock, "now">;
  /** Requests a second, for each owner. */
  readonly perSecond: number;
  /** When each bucket will be full; an owner without an entry has a full one. */
  readonly #fullAt = new Map<string, number>();
  #sweptAt = 0;

  constructor(clock: Pick<Clock, "now">, perSecond: number) {
    this.#clock = clock;
    this.perSecond = perSecond;
  }

  /** How many owners are remembered: those of the last two seconds. */
  get owners(): number {
    return this.#fullAt.size;
  }

  /** Counts a request of `owner`; returns how long to wait, in ms, if it is one too many. */
  admit(owner: string): number | undefined {
    const now = this.#clock.now();
    this.#sweep(now);
    const drawn = draw(this.#fullAt.get(owner), now, this.perSecond);
    if (drawn.kind === "refused") return drawn.waitMs;
    this.#fullAt.set(owner, drawn.fullAt);
    return undefined;
  }

  /** Forgets full buckets, once a second at most. */
  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < BURST_MS) return;
    this.#sweptAt = now;
    for (const [owner, fullAt] of this.#fullAt) {
      if (fullAt <= now) this.#fullAt.delete(owner);
    }
  }
}
