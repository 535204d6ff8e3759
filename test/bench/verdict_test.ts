/** What a benchmark says of a figure that has a limit. */
import { assert, assertEquals } from "@std/assert";
import { verdict } from "../../bench/verdict.ts";

Deno.test("a verdict names the figure, the limit, and whether it holds", () => {
  assertEquals(
    verdict("memory", 24.96, { atMost: 25 }, "KB"),
    "ok   memory: 25.0 KB, wanted at most 25 KB",
  );
  assertEquals(
    verdict("ratio", 0.85, { atLeast: 0.9 }),
    "MISS ratio: 0.850, wanted at least 0.9",
  );
});

Deno.test("what was not measured misses its limit", () => {
  for (const limit of [{ atMost: 1 }, { atLeast: 0 }]) {
    assert(verdict("nothing", NaN, limit).startsWith("MISS nothing: –"));
  }
});
