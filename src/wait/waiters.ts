/**
 * Long polls in progress. One watch for each watched export, fanned out in memory to all who wait
 * for it; it ends when the last of them leaves. Never reads or decides anything about an export.
 */
import type { Clock } from "../clock.ts";

/** Receives the values of something that is watched. */
export interface Listener<T> {
  tell(value: T): void;
  /** No more values will come. */
  end(): void;
}

/**
 * Watches something: passes its value, now and at each change, to `listener` until the returned
 * function is called.
 */
export type Watch<T> = (id: string, listener: Listener<T>) => () => void;

export interface WaitOptions {
  readonly timeoutMs: number;
  /** Aborts when nobody wants to know any more. */
  readonly signal: AbortSignal;
}

/** A wait that was ended before its time, because too much is held for those who wait. */
export const RELEASED = Symbol();

export class Waiters<T> {
  readonly #watch: Watch<T>;
  readonly #clock: Clock;
  readonly #attend: () => () => void;
  #leave = nothing;
  readonly #watched = new Map<string, Watched<T>>();
  #closed = false;

  /** @param attend called when anybody begins to wait; what it returns, when nobody does any more */
  constructor(watch: Watch<T>, clock: Clock, attend: () => () => void = () => nothing) {
    this.#watch = watch;
    this.#clock = clock;
    this.#attend = attend;
  }

  /** How many wait at this moment. */
  get size(): number {
    return [...this.#watched.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /**
   * Resolves with the first value for which `enough` holds, which may be the present one; or with
   * `undefined` after `timeoutMs`, when `signal` aborts, or when the watch or all waiting ends; or
   * with {@link RELEASED}.
   */
  until(
    id: string,
    enough: (value: T) => boolean,
    { timeoutMs, signal }: WaitOptions,
  ): Promise<T | undefined | typeof RELEASED> {
    if (this.#closed || signal.aborted || timeoutMs <= 0) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const wait = new Wait(enough, resolve, signal);
      try {
        wait.begin(this.#clock, timeoutMs);
        wait.join(this.#watched.get(id) ?? this.#begin(id));
      } catch {
        wait.end(); // As when the watch ends.
      }
    });
  }

  /** Releases all who wait now. */
  release(): void {
    for (const watched of this.#watched.values()) watched.end(RELEASED);
  }

  /** Ends every wait, now and from now on. */
  close(): void {
    this.#closed = true;
    for (const watched of this.#watched.values()) watched.end();
  }

  /** @throws if the store cannot be watched */
  #begin(id: string): Watched<T> {
    const watched = new Watched<T>();
    const stop = this.#watch(id, watched);
    watched.onEmpty = () => {
      this.#watched.delete(id);
      stop();
      if (this.#watched.size === 0) this.#leave();
    };
    if (this.#watched.size === 0) this.#leave = this.#attend();
    this.#watched.set(id, watched);
    return watched;
  }
}

/** One watch, and those who wait for its values. */
class Watched<T> implements Listener<T> {
  readonly #waits = new Set<Wait<T>>();
  #latest: { readonly value: T } | undefined;
  #ended = false;
  /** Called when the last of them has left. */
  onEmpty = nothing;

  get size(): number {
    return this.#waits.size;
  }

  tell(value: T): void {
    this.#latest = { value };
    for (const wait of this.#waits) wait.offer(value);
  }

  /** Ends its waits; the callers read the record instead. */
  end(how?: typeof RELEASED): void {
    this.#ended = true;
    for (const wait of this.#waits) wait.end(how);
  }

  join(wait: Wait<T>): void {
    this.#waits.add(wait);
    if (this.#ended) wait.end();
    else if (this.#latest !== undefined) wait.offer(this.#latest.value);
  }

  leave(wait: Wait<T>): void {
    if (this.#waits.delete(wait) && this.#waits.size === 0) this.onEmpty();
  }
}

/** One wait; there are thousands at once, so it is a single object that holds all it needs. */
class Wait<T> implements EventListenerObject {
  readonly #enough: (value: T) => boolean;
  readonly #resolve: (value: T | undefined | typeof RELEASED) => void;
  readonly #signal: AbortSignal;
  #watched: Watched<T> | undefined;
  #cancelTimer = nothing;

  constructor(
    enough: (value: T) => boolean,
    resolve: (value: T | undefined | typeof RELEASED) => void,
    signal: AbortSignal,
  ) {
    this.#enough = enough;
    this.#resolve = resolve;
    this.#signal = signal;
  }

  begin(clock: Clock, timeoutMs: number): void {
    this.#cancelTimer = clock.after(timeoutMs, () => this.end());
    this.#signal.addEventListener("abort", this);
  }

  join(watched: Watched<T>): void {
    this.#watched = watched;
    watched.join(this);
  }

  offer(value: T): void {
    if (this.#enough(value)) this.#settle(value);
  }

  end(how?: typeof RELEASED): void {
    this.#settle(how);
  }

  /** The signal has aborted. */
  handleEvent(): void {
    this.end();
  }

  #settle(value: T | undefined | typeof RELEASED): void {
    this.#cancelTimer();
    this.#signal.removeEventListener("abort", this);
    this.#watched?.leave(this);
    this.#resolve(value);
  }
}

function nothing(): void {}
