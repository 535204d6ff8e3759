/** An answer that is worth the same for a while, however many ask for it meanwhile. */
import type { Clock } from "./clock.ts";

/** Gives what `ask` gave at most `worthMs` ago; asks anew when that is over. */
export function remembered<T>(
  worthMs: number,
  clock: Pick<Clock, "now">,
  ask: () => T,
): () => T {
  let last: { readonly answer: T; readonly at: number } | undefined;
  return () => {
    const now = clock.now();
    // A clock that was put back has no say in how old the answer is.
    if (last === undefined || Math.abs(now - last.at) >= worthMs) last = { answer: ask(), at: now };
    return last.answer;
  };
}
