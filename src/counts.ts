/** Counts by key, never below zero; a key whose count is zero is forgotten. */
export class Counts {
  readonly #counts = new Map<string, number>();

  /** The number of keys whose count is not zero. */
  get size(): number {
    return this.#counts.size;
  }

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, count: number): void {
    const now = Math.max(0, this.of(key) + count);
    if (now === 0) this.#counts.delete(key);
    else this.#counts.set(key, now);
  }

  /** Resets the count of `key` to zero. */
  clear(key: string): void {
    this.#counts.delete(key);
  }
}
