import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { draw } from "../src/bucket.ts";

Deno.test("a second's worth may be drawn at once; the next one waits for its share", () => {
  let fullAt: number | undefined;
  for (let n = 0; n < 4; n++) {
    const drawn = draw(fullAt, 1_000, 4);
    fullAt = drawn.kind === "admitted" ? drawn.fullAt : NaN;
  }
  assertEquals(draw(fullAt, 1_000, 4), { kind: "refused", waitMs: 250 });
  assertEquals(draw(fullAt, 1_249, 4), { kind: "refused", waitMs: 1 });
  assertEquals(draw(fullAt, 1_250, 4).kind, "admitted");
});

Deno.test("a clock that is put back holds nobody up: the bucket is full", () => {
  assertEquals(draw(1_000_000, 5_000, 4), { kind: "admitted", fullAt: 5_250 });
});

Deno.test("in any stretch of time no more are admitted than a bucket and its filling", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 200 });
  fc.assert(fc.property(gaps, fc.integer({ min: 1, max: 20 }), (gaps, perSecond) => {
    let now = 0;
    let fullAt: number | undefined;
    const admitted: number[] = [];
    for (const gap of gaps) {
      now += gap;
      const drawn = draw(fullAt, now, perSecond);
      if (drawn.kind === "refused") {
        assert(drawn.waitMs > 0 && drawn.waitMs <= 1_000 / perSecond + 1e-6);
        // Whoever comes after the wait is served; a millisecond for the rounding of sums.
        assertEquals(draw(fullAt, now + drawn.waitMs + 1, perSecond).kind, "admitted");
      } else {
        ({ fullAt } = drawn);
        admitted.push(now);
      }
    }
    for (const [first, from] of admitted.entries()) {
      for (const [last, to] of admitted.entries()) {
        if (last < first) continue;
        assert(last - first + 1 <= perSecond * (1 + (to - from) / 1_000) + 1e-6);
      }
    }
  }));
});

Deno.test("what takes several is admitted when there are so many, and draws nothing before", () => {
  assertEquals(draw(undefined, 1_000, 4, 3), { kind: "admitted", fullAt: 1_750 });
  assertEquals(draw(1_750, 1_000, 4, 3), { kind: "refused", waitMs: 500 });
  assertEquals(draw(1_750, 1_500, 4, 3), { kind: "admitted", fullAt: 2_500 });
  assertEquals(draw(undefined, 1_000, 4, 5).kind, "refused");
});
