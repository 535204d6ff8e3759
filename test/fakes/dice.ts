/** Chance that can be had again: the same seed throws the same numbers in the same order. */

export class Dice {
  readonly seed: number;
  #state: number;

  constructor(seed: number) {
    this.seed = seed >>> 0;
    this.#state = this.seed;
  }

  /** Uniform in [0, 1): mulberry32, which is good enough to choose what goes wrong. */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };

  /** A whole number from 0 up to, not including, `end`. */
  below(end: number): number {
    return Math.floor(this.next() * end);
  }

  /** One of `items`, each as likely as the others. */
  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.below(items.length)] ?? items[0];
  }

  /** A UUID of version 4. */
  uuid(): string {
    const digits = Array.from({ length: 31 }, () => this.below(16).toString(16)).join("");
    const groups = /^(.{8})(.{4})(.{3})(.{4})(.{12})$/.exec(digits)?.slice(1) ?? [];
    return [groups[0], groups[1], `4${groups[2]}`, `8${groups[3]?.slice(1)}`, groups[4]].join("-");
  }

  /** Dice of its own for somebody who throws at a time of their own. */
  another(): Dice {
    return new Dice(Math.floor(this.next() * 2 ** 32));
  }
}

/** The seed in `EXPORT_TEST_SEED`, or a fresh one; whoever uses it prints it. */
export function chosenSeed(): number {
  return Number(Deno.env.get("EXPORT_TEST_SEED") ?? Math.floor(Math.random() * 2 ** 32)) >>> 0;
}

/** The number in the variable `name`, or `preset`. */
export function chosenCount(name: string, preset: number): number {
  return Number(Deno.env.get(name) ?? preset);
}
