import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { formatDuration, formatSize, parseDuration, parseSize } from "../src/units.ts";

const durations: readonly (readonly [text: string, ms: number])[] = [
  ["0s", 0],
  ["1ms", 1],
  ["30s", 30_000],
  ["90s", 90_000],
  ["2m", 120_000],
  ["24h", 86_400_000],
  ["7d", 604_800_000],
  ["1.5h", 5_400_000],
  ["0.25s", 250],
  ["0.0004s", 0],
  ["0.0006s", 1],
  [" 5 m ", 300_000],
];

for (const [text, ms] of durations) {
  Deno.test(`the duration "${text}" is ${ms} ms`, () => assertEquals(parseDuration(text), ms));
}

const sizes: readonly (readonly [text: string, bytes: number])[] = [
  ["0B", 0],
  ["17B", 17],
  ["512KiB", 524_288],
  ["1MiB", 1_048_576],
  ["2GiB", 2_147_483_648],
  ["10kB", 10_000],
  ["2MB", 2_000_000],
  ["1.5 KiB", 1_536],
];

for (const [text, bytes] of sizes) {
  Deno.test(`the size "${text}" is ${bytes} bytes`, () => assertEquals(parseSize(text), bytes));
}

Deno.test("a number without a unit, or with another one, says no duration and no size", () => {
  const nonsense = [
    "",
    " ",
    "5",
    "s",
    "-5s",
    "+5s",
    "1e3s",
    ".5s",
    "5.s",
    "1_000s",
    "0x5s",
    "5 sec",
    "5S",
    "5s5m",
    "5s\n6s",
    "٥s",
    "5toString",
    "5KB",
    "5b",
    "5mib",
  ];
  for (const text of nonsense) {
    assertEquals([parseDuration(text), parseSize(text)], [undefined, undefined], text);
  }
  assertEquals([parseDuration("5MiB"), parseSize("5s"), parseSize("5m")], Array(3).fill(undefined));
});

const shownDurations: readonly (readonly [ms: number, text: string])[] = [
  [0, "0ms"],
  [1, "1ms"],
  [999, "999ms"],
  [1_000, "1s"],
  [90_000, "90s"],
  [120_000, "2m"],
  [3_600_000, "1h"],
  [86_400_000, "1d"],
  [129_600_000, "36h"],
];

for (const [ms, text] of shownDurations) {
  Deno.test(`${ms} ms are shown as ${text}`, () => assertEquals(formatDuration(ms), text));
}

const shownSizes: readonly (readonly [bytes: number, text: string])[] = [
  [0, "0B"],
  [1_000, "1000B"],
  [1_024, "1KiB"],
  [1_536, "1536B"],
  [1_048_576, "1MiB"],
  [1_073_741_824, "1GiB"],
  [1_049_600, "1025KiB"],
];

for (const [bytes, text] of shownSizes) {
  Deno.test(`${bytes} bytes are shown as ${text}`, () => assertEquals(formatSize(bytes), text));
}

Deno.test("what is shown is read back the same", () => {
  const factor = fc.constantFrom(1, 1_000, 1_024, 60_000, 3_600_000, 86_400_000, 1_048_576);
  fc.assert(
    fc.property(fc.nat(100_000), factor, (n, factor) => {
      const value = n * factor;
      assertEquals(parseDuration(formatDuration(value)), value);
      assertEquals(parseSize(formatSize(value)), value);
    }),
    { numRuns: 300 },
  );
});

Deno.test("whatever is written, a duration is undefined or not negative, and nothing is thrown", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.double().map((n) => `${n}s`)), (text) => {
      const ms = parseDuration(text);
      assert(ms === undefined || ms >= 0);
    }),
    { numRuns: 300 },
  );
});
