/** Hands out places in lanes. */
import type { Clock } from "../clock.ts";

/**
 * Returns places in ascending order: the time in microseconds, but later than any handed out
 * before, whatever the clock says.
 *
 * @param last the last one handed out by any run on the store
 */
export function placesAfter(last: number, clock: Clock): () => number {
  return () => last = Math.max(clock.now() * 1_000, last + 1);
}
