/**
 * How many requests an owner may make a second. A bucket of one second's requests that fills
 * steadily, kept as one number: the moment at which it will be full again. Never waits, never
 * counts callers without a valid token: they have no name, and their refusal costs next to nothing.
 */
import type { Clock } from "../clock.ts";

/** What a bucket holds when full, as the time it takes to fill. */
const BURST_MS = 1_000;

/** What came of a request. */
export type Drawn =
  | { readonly kind: "admitted"; readonly fullAt: number }
  | { readonly kind: "refused"; readonly waitMs: number };

/**
 * Draws one request from a bucket that will be full at `fullAt`; one that never was drawn from is
 * full. So is one that would take longer to fill than it can: the clock was put back.
 */
export function draw(fullAt: number | undefined, now: number, perSecond: number): Drawn {
  const before = fullAt === undefined || fullAt > now + BURST_MS ? now : Math.max(fullAt, now);
  const after = before + 1_000 / perSecond;
  return after - now <= BURST_MS
    ? { kind: "admitted", fullAt: after }
    : { kind: "refused", waitMs: after - now - BURST_MS };
}

export class RequestRate {
  readonly #clock: Pick<Clock, "now">;
  /** Requests a second and owner. */
  readonly perSecond: number;
  /** When each bucket will be full; whoever is not in it has a full one. */
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
