/**
 * Time as an argument. The rooms get a {@link Clock}; only this file reads the
 * machine's clock or sets a timer. Never decides anything.
 */

/** What a room may know of time. */
export interface Clock {
  /** Wall-clock time, milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `action` once when `ms` milliseconds have passed, whatever the wall clock is put to,
   * unless the returned function is called first.
   */
  after(ms: number, action: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, action) {
    const timer = setTimeout(action, ms);
    return () => clearTimeout(timer);
  },
};
