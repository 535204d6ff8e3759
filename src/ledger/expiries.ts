/** When finished exports expire: after their retention, and some of the spread after it. */
import type { Clock } from "../clock.ts";
import { EXPIRY_SPREAD_MS, EXPIRY_TOGETHER_MS } from "./store_limits.ts";

/**
 * How much longer than its retention an export is kept that finishes now, ms. Those that
 * finish together expire together, so that they lie together in the store's index of expiries; what
 * finishes in a rush is spread all the same.
 *
 * @param random uniform in [0, 1)
 */
export function expiries(clock: Clock, random: () => number): () => number {
  let spreadMs = 0;
  let chosenAt = NaN;
  return () => {
    const now = clock.now();
    // The clock may have been put back.
    if (!(Math.abs(now - chosenAt) < EXPIRY_TOGETHER_MS)) {
      spreadMs = Math.floor(EXPIRY_SPREAD_MS * random());
      chosenAt = now;
    }
    return spreadMs;
  };
}
