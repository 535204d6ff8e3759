/**
 * Places that owners share: a total, and fewer for one owner, so that nobody can take them all.
 * Never waits for a place: without a free one, taking fails at once. Counts only what is in
 * progress in this process, and forgets an owner who has nothing.
 */
import { Counts } from "../counts.ts";

/** How many places there are. */
export interface PlaceBounds {
  readonly total: number;
  readonly perOwner: number;
}

/** Gives places back: all that are still taken, or all but `kept`. */
export type GiveBack = (kept?: number) => void;

export class Places {
  readonly #bounds: PlaceBounds;
  readonly #takenBy = new Counts();
  #taken = 0;

  constructor(bounds: PlaceBounds) {
    this.#bounds = bounds;
  }

  /** The most that one owner may have. */
  get most(): number {
    return Math.min(this.#bounds.total, this.#bounds.perOwner);
  }

  /** How many are taken at this moment. */
  get taken(): number {
    return this.#taken;
  }

  /** How many owners have taken any. */
  get owners(): number {
    return this.#takenBy.size;
  }

  /** Whether `owner` would find `count` places. */
  has(owner: string, count = 1): boolean {
    return this.#taken + count <= this.#bounds.total && this.mayHave(owner, count);
  }

  /** Whether `owner` may have `count` more, if that many are free. */
  mayHave(owner: string, count: number): boolean {
    return this.#takenBy.of(owner) + count <= this.#bounds.perOwner;
  }

  /** Takes `count` places for `owner` and returns how to give them back, if that many are left. */
  take(owner: string, count = 1): GiveBack | undefined {
    if (!this.has(owner, count)) return undefined;
    this.#change(owner, count);
    let left = count;
    return (kept = 0) => {
      if (kept >= left) return;
      this.#change(owner, kept - left);
      left = kept;
    };
  }

  #change(owner: string, count: number): void {
    this.#taken += count;
    this.#takenBy.add(owner, count);
  }
}
