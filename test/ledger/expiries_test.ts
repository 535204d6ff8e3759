import { assert, assertEquals } from "@std/assert";
import { expiries } from "../../src/ledger/expiries.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

function drawing() {
  const clock = new FakeClock();
  const chances = [0.25, 0.5, 0.75, 0.999];
  const spread = expiries(clock, () => chances.shift() ?? NaN);
  return { clock, spread };
}

Deno.test("what finishes within a tenth of a second expires together, what finishes later does not", () => {
  const { clock, spread } = drawing();
  assertEquals(spread(), 75_000);
  clock.advance(99);
  assertEquals(spread(), 75_000);
  clock.advance(1);
  assertEquals(spread(), 150_000);
});

Deno.test("a clock that is put back keeps nobody together for long", () => {
  const { clock, spread } = drawing();
  assertEquals(spread(), 75_000);
  clock.jump(-3_600_000);
  assertEquals(spread(), 150_000);
  clock.advance(100);
  assertEquals(spread(), 225_000);
});

Deno.test("nobody is kept longer than five minutes more", () => {
  const { clock, spread } = drawing();
  for (let n = 0; n < 4; n++) {
    assert(spread() < 300_000);
    clock.advance(100);
  }
});
