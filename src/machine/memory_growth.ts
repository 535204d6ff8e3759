/**
 * Ends what clients hold open when the process grows too much beside it: the runtime (Deno 2.9.6)
 * joins the pieces of a message, and reads ahead of what it hands on, without a bound and unseen.
 * Which client is to blame cannot be determined.
 */
import type { Clock } from "../clock.ts";
import { MEMORY_LOOK_MS } from "../limits.ts";

export interface MemoryGrowthParts {
  readonly clock: Pick<Clock, "after">;
  /** How much the process may grow. */
  readonly bytesMax: number;
  /** Called when it has grown by `bytes`, before all is ended. */
  readonly onGrown: (bytes: number) => void;
  /** Bytes that the process holds outside JavaScript, unless that cannot be told now. */
  readonly memory?: () => number | undefined;
}

export class MemoryGrowth {
  readonly #parts: MemoryGrowthParts;
  /** How each open thing is ended. */
  readonly #ends = new Set<() => void>();
  /** The lowest value seen since something is open without a break, or since all were ended. */
  #least = Infinity;
  #isWatching = false;

  constructor(parts: MemoryGrowthParts) {
    this.#parts = parts;
  }

  /** Counts what opens, and is ended by `end`; call the returned function when it is over. */
  add(end: () => void): () => void {
    this.#ends.add(end);
    // Not at once: polls come and go, and a look takes as long as a part of a request.
    if (!this.#isWatching) this.#lookLater();
    return () => {
      this.#ends.delete(end);
      if (this.#ends.size === 0) this.#least = Infinity;
    };
  }

  #lookLater(): void {
    this.#isWatching = true;
    this.#parts.clock.after(MEMORY_LOOK_MS, () => {
      this.#isWatching = false;
      if (this.#ends.size > 0) this.#look();
    });
  }

  #look(): void {
    const { memory = nativeMemory } = this.#parts;
    const bytes = memory();
    if (bytes !== undefined) this.#compare(bytes);
    this.#lookLater();
  }

  #compare(bytes: number): void {
    const { bytesMax, onGrown } = this.#parts;
    this.#least = Math.min(this.#least, bytes);
    const grown = bytes - this.#least;
    if (grown <= bytesMax) return;
    this.#least = Infinity;
    onGrown(grown);
    for (const end of this.#ends) end();
  }
}

function nativeMemory(): number | undefined {
  const { rss, heapTotal, external } = Deno.memoryUsage();
  // The runtime says 0 if there is no file descriptor to read it by.
  return rss === 0 ? undefined : rss - heapTotal - external;
}
