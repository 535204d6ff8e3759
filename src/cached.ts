/** An answer that is reused for a while, however many callers ask for it meanwhile. */
import type { Clock } from "./clock.ts";

/** Returns what `ask` returned at most `maxAgeMs` ago; calls it again once that is over. */
export function cached<T>(
  maxAgeMs: number,
  clock: Pick<Clock, "now">,
  ask: () => T,
): () => T {
  let last: { readonly answer: T; readonly at: number } | undefined;
  return () => {
    const now = clock.now();
    // Absolute, so that a clock put back does not make an answer last longer.
    if (last === undefined || Math.abs(now - last.at) >= maxAgeMs) {
      last = { answer: ask(), at: now };
    }
    return last.answer;
  };
}
