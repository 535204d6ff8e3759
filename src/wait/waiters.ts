/**
 * Long polls in progress. One watch for each watched export, fanned out in memory to everybody who
 * waits for it; it ends with the last of them. Never reads or decides anything about an export.
 */
import type { Clock } from "../clock.ts";

/** Reads the present value of something, and every later one, until cancelled. */
type Reader<T> = Pick<ReadableStreamDefaultReader<T>, "read" | "cancel">;

/** Begins to watch something. */
export type Watch<T> = (id: string) => Reader<T>;

interface Waiter<T> {
  offer(value: T): void;
  end(): void;
}

interface Watched<T> {
  readonly reader: Reader<T>;
  readonly waiters: Set<Waiter<T>>;
  latest: { readonly value: T } | undefined;
}

export class Waiters<T> {
  readonly #watch: Watch<T>;
  readonly #clock: Clock;
  readonly #watched = new Map<string, Watched<T>>();
  #closed = false;

  constructor(watch: Watch<T>, clock: Clock) {
    this.#watch = watch;
    this.#clock = clock;
  }

  /** How many wait at this moment. */
  get size(): number {
    return [...this.#watched.values()].reduce((sum, { waiters }) => sum + waiters.size, 0);
  }

  /**
   * Resolves with the first value for which `enough` holds, be it the present one; or with
   * `undefined` after `timeoutMs`, when `signal` aborts, or when nobody may wait any longer.
   */
  until(
    id: string,
    enough: (value: T) => boolean,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<T | undefined> {
    if (this.#closed || signal.aborted || timeoutMs <= 0) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      let cancelTimer = () => {};
      const settle = (value: T | undefined) => {
        cancelTimer();
        signal.removeEventListener("abort", end);
        this.#leave(id, waiter);
        resolve(value);
      };
      const end = () => settle(undefined);
      const waiter: Waiter<T> = { offer: (value) => enough(value) && settle(value), end };
      signal.addEventListener("abort", end);
      try {
        cancelTimer = this.#clock.after(timeoutMs, end);
        this.#join(id, waiter);
      } catch {
        end(); // As in #fanOut.
      }
    });
  }

  /** Ends every wait, now and from now on. */
  close(): void {
    this.#closed = true;
    for (const { waiters } of this.#watched.values()) endAll(waiters);
  }

  #join(id: string, waiter: Waiter<T>): void {
    const watched = this.#watched.get(id) ?? this.#begin(id);
    watched.waiters.add(waiter);
    if (watched.latest !== undefined) waiter.offer(watched.latest.value);
  }

  #leave(id: string, waiter: Waiter<T>): void {
    const watched = this.#watched.get(id);
    if (!watched?.waiters.delete(waiter) || watched.waiters.size > 0) return;
    this.#watched.delete(id);
    // A watch that has already failed rejects its cancellation too.
    watched.reader.cancel().catch(() => {});
  }

  #begin(id: string): Watched<T> {
    const reader = this.#watch(id);
    const watched: Watched<T> = { reader, waiters: new Set(), latest: undefined };
    this.#watched.set(id, watched);
    void this.#fanOut(watched);
    return watched;
  }

  async #fanOut(watched: Watched<T>): Promise<void> {
    const { reader, waiters } = watched;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        watched.latest = { value };
        for (const waiter of [...waiters]) waiter.offer(value);
      }
    } catch {
      // The store failed under the watch: whoever waits is sent to read the record instead.
    }
    endAll(waiters);
  }
}

function endAll<T>(waiters: ReadonlySet<Waiter<T>>): void {
  for (const waiter of [...waiters]) waiter.end();
}
