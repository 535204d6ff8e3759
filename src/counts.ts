/** How many there are of each; what there is none of is forgotten. Never below zero. */
export class Counts {
  readonly #counts = new Map<string, number>();

  /** Of how many there are any. */
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

  /** Forgets how many there are of `key`. */
  clear(key: string): void {
    this.#counts.delete(key);
  }
}
