/**
 * A clock that stands still until a test moves it. Timers fire in order of their time, and by
 * elapsed time alone: the wall clock may be put back or forward without them.
 */
import type { Clock } from "../../src/clock.ts";

export class FakeClock implements Clock {
  /** Milliseconds since the clock was made, whatever the wall clock says. */
  elapsed = 0;
  #wall: number;
  #timers: { at: number; action: () => void }[] = [];

  constructor(now = Date.UTC(2030, 0, 1)) {
    this.#wall = now;
  }

  now(): number {
    return this.#wall + this.elapsed;
  }

  after(ms: number, action: () => void): () => void {
    const timer = { at: this.elapsed + ms, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers not yet fired or cancelled. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Milliseconds until the next timer, if there is one. */
  get untilNext(): number | undefined {
    return this.#timers.length === 0
      ? undefined
      : Math.max(0, Math.min(...this.#timers.map(({ at }) => at)) - this.elapsed);
  }

  /** Moves time forward by `ms`, firing on the way every timer that falls due. */
  advance(ms: number): void {
    const end = this.elapsed + ms;
    for (;;) {
      const next = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== next);
      this.elapsed = Math.max(this.elapsed, next.at);
      next.action();
    }
    this.elapsed = end;
  }

  /** Puts the wall clock forward, or back where `ms` is negative; no time passes. */
  jump(ms: number): void {
    this.#wall += ms;
  }
}
