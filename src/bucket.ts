/**
 * A token bucket that fills steadily and holds one second's worth. Kept as a single number, the
 * moment at which it will be full again. Never waits, and keeps no clock.
 */

/** A bucket's capacity, as the time it takes to fill, ms. */
export const BURST_MS = 1_000;

/** The result of a draw; `waitMs` is the time until there would be enough. */
export type Drawn =
  | { readonly kind: "admitted"; readonly fullAt: number }
  | { readonly kind: "refused"; readonly waitMs: number };

/**
 * Draws `count` from a bucket that will be full at `fullAt`; one never drawn from is full. So is
 * one that would take longer to fill than its capacity allows: the clock was put back.
 */
export function draw(
  fullAt: number | undefined,
  now: number,
  perSecond: number,
  count = 1,
): Drawn {
  const before = fullAt === undefined || fullAt > now + BURST_MS ? now : Math.max(fullAt, now);
  const after = before + count * BURST_MS / perSecond;
  return after - now <= BURST_MS
    ? { kind: "admitted", fullAt: after }
    : { kind: "refused", waitMs: after - now - BURST_MS };
}
