/**
 * The port of wake-ups. A wake-up is a hint: it may come late, twice or for nothing; whoever is
 * woken reads the record. What it must not do is never come.
 */

/** A lane that must be looked at, at a moment or soon after it (ms since the epoch). */
export interface WakeUp {
  readonly lane: string;
  readonly at: number;
}

/** Carries wake-ups through crashes, to whoever is to be rung. */
export interface Bell {
  /**
   * Adds to a commit the wake-ups that must exist once it holds; the returned function is called
   * after the commit, and rings at once for those already due.
   */
  arm(commit: Deno.AtomicOperation, wakeUps: readonly WakeUp[]): () => void;
  /** Who is called with lanes to look at; of what is due already, from now on. */
  onRing(ring: (lanes: readonly string[]) => void): void;
  /** Rings for what falls due later, and for what a process before has left, until the store is closed. */
  listen(): void;
}
