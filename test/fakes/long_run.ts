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
