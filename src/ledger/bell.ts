/**
 * The port for wake-ups. A wake-up is a hint: it may come late, twice or needlessly, and its
 * receiver reads the record. But it must come.
 */

/** A lane that must be looked at, at or soon after `at` (ms since the epoch). */
export interface WakeUp {
  readonly lane: string;
  readonly at: number;
}

/** Delivers wake-ups to a callback, even across crashes. */
export interface Bell {
  /**
   * Adds to a commit the wake-ups that must exist once it succeeds; the returned function is called
   * after the commit, and rings at once for those already due.
   */
  arm(commit: Deno.AtomicOperation, wakeUps: readonly WakeUp[]): () => void;
  /** Sets the callback for lanes to look at, called from now on for wake-ups already due. */
  onRing(ring: (lanes: readonly string[]) => void): void;
  /** Also rings for later wake-ups and those of an earlier process, until the store is closed. */
  listen(): void;
}
