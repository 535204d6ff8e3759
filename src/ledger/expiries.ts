/** When finished exports expire: after their retention and a random part of the spread. */
import type { Clock } from "../clock.ts";
import { cached } from "../cached.ts";
import { EXPIRY_SPREAD_MS, EXPIRY_TOGETHER_MS } from "./store_limits.ts";

/**
 * How much longer than its retention an export that finishes now is kept, ms. Exports that finish
 * together expire together, so that they are adjacent in the store's index of expiries.
 *
 * @param random uniform in [0, 1)
 */
export function expiries(clock: Pick<Clock, "now">, random: () => number): () => number {
  return cached(EXPIRY_TOGETHER_MS, clock, () => Math.floor(EXPIRY_SPREAD_MS * random()));
}
