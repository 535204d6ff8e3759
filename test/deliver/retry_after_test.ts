import { assertEquals } from "@std/assert";
import { retryAfterMs } from "../../src/deliver/retry_after.ts";

const NOW = Date.UTC(2030, 0, 1);

const VALUES: readonly (readonly [string | undefined, number | undefined])[] = [
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7_000],
  ["999999999", 999_999_999_000],
  ["Tue, 01 Jan 2030 00:01:00 GMT", 60_000],
  ["Tuesday, 01-Jan-30 00:01:00 GMT", 60_000],
  ["Tue Jan  1 00:01:00 2030 GMT", 60_000],
  ["Mon, 31 Dec 2029 23:59:00 GMT", 0],
  [undefined, undefined],
  ["", undefined],
  ["-1", undefined],
  ["1.5", undefined],
  ["1e3", undefined],
  ["9999999999", undefined],
  ["2030-01-01T00:01:00Z", undefined],
  ["Tue, soon", undefined],
];

for (const [value, ms] of VALUES) {
  Deno.test(`Retry-After: ${value} asks for ${ms ?? "nothing"}`, () => {
    assertEquals(retryAfterMs(value, NOW), ms);
  });
}
