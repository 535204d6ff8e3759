/**
 * Places that owners share: so many for all, and fewer for one owner, so that nobody can take them
 * all. Nobody waits for a place: whoever finds none is told so. Counts only what is in progress in
 * this process, and forgets an owner who has nothing.
 */
import { Counts } from "../counts.ts";

/** How many places there are. */
export interface PlaceBounds {
  readonly total: number;
  readonly perOwner: number;
}

export class Places {
  readonly #bounds: PlaceBounds;
  readonly #takenBy = new Counts();
  #taken = 0;

  constructor(bounds: PlaceBounds) {
    this.#bounds = bounds;
  }

  /** How many are taken at this moment. */
  get taken(): number {
    return this.#taken;
  }

  /** How many owners have any. */
  get owners(): number {
    return this.#takenBy.size;
  }

  /** Whether `owner` would find `count` places. */
  has(owner: string, count = 1): boolean {
    const { total, perOwner } = this.#bounds;
    return this.#taken + count <= total && this.#takenBy.of(owner) + count <= perOwner;
  }

  /** Takes `count` places for `owner` and returns how to give them back, if there are so many. */
  take(owner: string, count = 1): (() => void) | undefined {
    if (!this.has(owner, count)) return undefined;
    this.#change(owner, count);
    let given = false;
    return () => {
      if (!given) this.#change(owner, -count);
      given = true;
    };
  }

  #change(owner: string, count: number): void {
    this.#taken += count;
    this.#takenBy.add(owner, count);
  }
}
