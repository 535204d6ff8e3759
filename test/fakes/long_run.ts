// deno-lint-ignore-file no-console -- the seed is printed
/**
 * How often the long properties are tried: a tenth in the gate, all of it by `deno task fuzz`.
 * `EXPORT_TEST_RUNS` and `EXPORT_TEST_SEED` set count and seed.
 */

/** Parameters for fast-check; prints the seed, so that what happened once can be seen again. */
export function longRun(what: string): { readonly numRuns: number; readonly seed: number } {
  const numRuns = numberIn("EXPORT_TEST_RUNS") ?? 10_000;
  const seed = numberIn("EXPORT_TEST_SEED") ?? crypto.getRandomValues(new Int32Array(1))[0] ?? 0;
  console.log(`${what}: ${numRuns} runs, EXPORT_TEST_SEED=${seed}`);
  return { numRuns, seed };
}

function numberIn(name: string): number | undefined {
  const text = Deno.env.get(name);
  return text === undefined ? undefined : Number(text);
}

/**
 * Whether memory stays flat over a run: call `tried` after each try. Only `deno task fuzz` lets a
 * program collect its garbage; elsewhere nothing is measured.
 */
export class HeapWatch {
  readonly #runs: number;
  #tried = 0;
  #half: number | undefined;

  constructor(runs: number) {
    this.#runs = runs;
  }

  tried(): void {
    if (++this.#tried === Math.ceil(this.#runs / 2)) this.#half = heapBytes();
  }

  /** Bytes that the second half of the run has left, as far as that is known. */
  get growth(): number {
    const now = heapBytes();
    if (now === undefined || this.#half === undefined) return 0;
    console.log(`heap: ${this.#half} bytes after half of the run, ${now} at its end`);
    return now - this.#half;
  }
}

/** What is really in use. */
function heapBytes(): number | undefined {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect !== "function") return undefined;
  collect();
  return Deno.memoryUsage().heapUsed;
}
