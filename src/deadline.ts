/**
 * Waiting with an end: a time limit over an attempt, and a pause that can be cut short. What does not
 * heed its signal is left behind, not awaited; no timer outlives the wait.
 */
import type { Clock } from "./clock.ts";

/** What bounds an attempt. */
export interface Bounds {
  readonly clock: Pick<Clock, "after">;
  readonly timeoutMs: number;
  /** Ends the attempt before its time. */
  readonly signal?: AbortSignal | undefined;
}

export type Bounded<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "timed_out" }
  | { readonly kind: "stopped" };

/** Runs `attempt`, whose signal aborts as soon as nobody waits for it any more. */
export async function withinBounds<T>(
  { clock, timeoutMs, signal }: Bounds,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<Bounded<T>> {
  if (signal?.aborted) return { kind: "stopped" };
  const ended = Promise.withResolvers<Bounded<T>>();
  const given = new AbortController();
  const stop = () => ended.resolve({ kind: "stopped" });
  signal?.addEventListener("abort", stop);
  const cancel = clock.after(timeoutMs, () => ended.resolve({ kind: "timed_out" }));
  try {
    const done = attempt(given.signal).then((value): Bounded<T> => ({ kind: "done", value }));
    return await Promise.race([ended.promise, done]);
  } finally {
    cancel();
    signal?.removeEventListener("abort", stop);
    given.abort();
  }
}

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export async function pause(
  clock: Pick<Clock, "after">,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const never = new Promise<never>(() => {});
  await withinBounds({ clock, timeoutMs: ms, signal }, () => never);
}
