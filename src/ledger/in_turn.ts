/** Tasks on the same key, run one after the other; those on different keys run side by side. */
export class InTurn {
  /** The end of the last task on a key. */
  readonly #ends = new Map<string, Promise<void>>();

  /** How many keys have a task that has not ended. */
  get size(): number {
    return this.#ends.size;
  }

  /** Runs `task` once all earlier ones on `key` have ended, however they ended. */
  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#ends.get(key);
    const result = before === undefined ? task() : before.then(task);
    const end = result.then(() => {}, () => {}).then(() => {
      if (this.#ends.get(key) === end) this.#ends.delete(key);
    });
    this.#ends.set(key, end);
    return result;
  }
}
