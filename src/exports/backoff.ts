/** When to retry. Pure: chance is an argument. */

/** A schedule of delays in milliseconds; the last one repeats. */
export interface Backoff {
  readonly delaysMs: readonly number[];
  /** Fraction by which each delay varies either way, 0 to 1. */
  readonly jitter: number;
}

/**
 * Delay after the `failures`-th failed attempt (1, 2, 3 …), in whole milliseconds.
 *
 * @param chance uniform in [0, 1)
 */
export function backoffMs(backoff: Backoff, failures: number, chance: number): number {
  const { delaysMs, jitter } = backoff;
  const delay = delaysMs[Math.min(failures, delaysMs.length) - 1] ?? 0;
  return Math.round(delay * (1 - jitter + 2 * jitter * chance));
}

/** The longest delay that the schedule can produce, ms. */
export function longestDelayMs({ delaysMs, jitter }: Backoff): number {
  return Math.round(Math.max(0, ...delaysMs) * (1 + jitter));
}
