/**
 * Waits that end: a time limit on an attempt, and a pause that can be cut short. An attempt that
 * ignores its signal is abandoned, not awaited; no timer outlives the wait.
 */
import type { Clock } from "./clock.ts";

/** When to stop waiting for an attempt. */
export interface Deadline {
  readonly clock: Pick<Clock, "after">;
  readonly timeoutMs: number;
  /** Ends the attempt early. */
  readonly signal?: AbortSignal | undefined;
}

/** The result of an attempt with a deadline. */
export type Timed<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "timed_out" }
  | { readonly kind: "stopped" };

/** Runs `attempt`, whose signal aborts as soon as nobody waits for it any more. */
export async function withDeadline<T>(
  { clock, timeoutMs, signal }: Deadline,
  attempt: (signal: AbortSignal) => Promise<T>,
): Promise<Timed<T>> {
  if (signal?.aborted) return { kind: "stopped" };
  const ended = Promise.withResolvers<Timed<T>>();
  const given = new AbortController();
  const stop = () => ended.resolve({ kind: "stopped" });
  signal?.addEventListener("abort", stop);
  const cancel = clock.after(timeoutMs, () => ended.resolve({ kind: "timed_out" }));
  try {
    const done = attempt(given.signal).then((value): Timed<T> => ({ kind: "done", value }));
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
  await withDeadline({ clock, timeoutMs: ms, signal }, () => never);
}
