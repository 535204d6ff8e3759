import { assertEquals } from "@std/assert";
import { RequestRate } from "../../src/http/request_rate.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

Deno.test("each owner has a bucket, and nobody is remembered for long", () => {
  const clock = new FakeClock();
  const rate = new RequestRate(clock, 2);
  assertEquals([1, 2, 3].map(() => rate.admit("a")), [undefined, undefined, 500]);
  assertEquals(rate.admit("b"), undefined);
  for (let n = 0; n < 1_000; n++) rate.admit(`owner ${n}`);
  assertEquals(rate.owners, 1_002);
  clock.advance(1_000);
  assertEquals(rate.admit("c"), undefined);
  assertEquals(rate.owners, 1);
});

Deno.test("a clock that was put back does not keep owners remembered until it has caught up", () => {
  const clock = new FakeClock();
  const rate = new RequestRate(clock, 2);
  rate.admit("before");
  clock.jump(-3_600_000);
  for (let n = 0; n < 1_000; n++) rate.admit(`owner ${n}`);
  clock.advance(1_000);
  rate.admit("after");
  assertEquals(rate.owners, 2);
});
