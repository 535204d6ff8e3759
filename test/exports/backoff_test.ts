import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Backoff, backoffMs, longestDelayMs } from "../../src/exports/backoff.ts";
import { BACKOFF_JITTER, BACKOFF_MS } from "../../src/limits.ts";

const RULED: Backoff = { delaysMs: BACKOFF_MS, jitter: BACKOFF_JITTER };
const MINUTE = 60_000;
const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

const schedule: readonly (readonly [failures: number, delayMs: number])[] = [
  [1, 5_000],
  [2, 30_000],
  [3, 2 * MINUTE],
  [4, 10 * MINUTE],
  [5, 30 * MINUTE],
  [6, 30 * MINUTE],
  [7, 30 * MINUTE],
  [1_000, 30 * MINUTE],
];

for (const [failures, delayMs] of schedule) {
  Deno.test(`failure ${failures} is followed by a delay of ${delayMs / 1_000} s, give or take a fifth`, () => {
    assertEquals(backoffMs(RULED, failures, 0), delayMs * 0.8);
    assertEquals(backoffMs(RULED, failures, 0.5), delayMs);
    assertEquals(backoffMs(RULED, failures, 0.75), (delayMs * 11) / 10);
    fc.assert(
      fc.property(chance, (chance) => {
        const ms = backoffMs(RULED, failures, chance);
        assert(ms >= delayMs * 0.8 && ms <= delayMs * 1.2, `${ms}`);
        assert(Number.isInteger(ms), `${ms}`);
      }),
      { numRuns: 100 },
    );
  });
}

Deno.test("by the same chance, a later delay is never shorter than an earlier one", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), chance, (failures, chance) => {
      assert(backoffMs(RULED, failures + 1, chance) >= backoffMs(RULED, failures, chance));
    }),
  );
});

Deno.test("without jitter chance changes nothing", () => {
  const steady: Backoff = { delaysMs: [1_000, 2_000], jitter: 0 };
  for (const chance of [0, 0.3, 0.999]) {
    assertEquals([1, 2, 3].map((n) => backoffMs(steady, n, chance)), [1_000, 2_000, 2_000]);
  }
});

Deno.test("a schedule without delays is one of delays of nothing", () => {
  assertEquals(backoffMs({ delaysMs: [], jitter: 0.2 }, 1, 0.9), 0);
});

Deno.test("no chance brings a delay that is longer than the longest", () => {
  assertEquals(longestDelayMs({ delaysMs: [], jitter: 0.2 }), 0);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), chance, (failures, chance) => {
      assert(backoffMs(RULED, failures, chance) <= longestDelayMs(RULED));
    }),
  );
});
