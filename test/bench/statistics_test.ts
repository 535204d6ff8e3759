/** What a comparison makes of its rounds. */
import { assertEquals } from "@std/assert";
import {
  type Measurement,
  median,
  mediansOf,
  quantilesOf,
  ratioByRound,
  ratioTo,
} from "../../bench/statistics.ts";

function measured(rival: string, round: number, perSecond: number, clients = 1): Measurement {
  const quantiles = { p50: perSecond, p99: 2 * perSecond };
  return {
    rival,
    clients,
    round,
    perSecond,
    accepted: quantiles,
    finished: quantiles,
    cpuSecondsPer1000: 1,
  };
}

Deno.test("a median is the middle one, or the mean of the two in the middle", () => {
  const cases: [number[], number][] = [
    [[3], 3],
    [[9, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[], NaN],
  ];
  for (const [values, expected] of cases) assertEquals(median(values), expected, `${values}`);
});

Deno.test("quantiles are values that occurred", () => {
  const hundred = Array.from({ length: 100 }, (_, n) => 100 - n);
  assertEquals(quantilesOf(hundred), { p50: 51, p99: 100 });
  assertEquals(quantilesOf([7]), { p50: 7, p99: 7 });
  assertEquals(quantilesOf([]), { p50: NaN, p99: NaN });
});

Deno.test("a ratio is taken within each round, so that a slow round disturbs it not", () => {
  const measurements = [
    measured("ours", 0, 100),
    measured("toy", 0, 200),
    // The machine was busy.
    measured("ours", 1, 10),
    measured("toy", 1, 30),
    measured("ours", 2, 100),
    measured("toy", 2, 210),
  ];
  assertEquals(ratioTo("ours", "toy", 1, measurements), { median: 2.1, min: 2, max: 3 });
});

Deno.test("two series are compared round by round, so that one bad round does not count", () => {
  assertEquals(ratioByRound([90, 1, 95], [100, 100, 100]), { median: 0.9, min: 0.01, max: 0.95 });
});

Deno.test("rounds that one of both lacks do not count", () => {
  const measurements = [
    measured("ours", 0, 100),
    measured("toy", 0, 200),
    measured("toy", 1, 900),
    measured("ours", 1, 100, 16),
  ];
  assertEquals(ratioTo("ours", "toy", 1, measurements), { median: 2, min: 2, max: 2 });
  assertEquals(ratioTo("ours", "toy", 16, measurements), undefined);
  assertEquals(ratioTo("theirs", "toy", 1, measurements), undefined);
});

Deno.test("each figure has a median of its own", () => {
  const rounds = [measured("ours", 0, 1), measured("ours", 1, 5), measured("ours", 2, 3)];
  assertEquals(mediansOf(rounds), {
    perSecond: 3,
    accepted: { p50: 3, p99: 6 },
    finished: { p50: 3, p99: 6 },
    cpuSecondsPer1000: 1,
  });
});
