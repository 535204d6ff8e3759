/** Lanes that rest: looked at again in time, once, and sooner if the clock was changed. */
import { assertEquals } from "@std/assert";
import { Resting } from "../../src/deliver/resting.ts";
import { Timers } from "../../src/deliver/timers.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const MINUTE_MS = 60_000;

/** Lanes that rest on a clock, and when each was woken, in ms since the beginning. */
function rest() {
  const clock = new FakeClock();
  const wakes: (readonly [lane: string, elapsed: number])[] = [];
  const timers = new Timers(clock);
  const resting = new Resting(clock, timers, (lane) => wakes.push([lane, clock.elapsed]));
  return { clock, timers, resting, wakes };
}

Deno.test("a lane is looked at when it says, however long that is", () => {
  const { clock, resting, wakes } = rest();
  resting.lookAgain("a", 10_000);
  resting.lookAgain("b", 10 * MINUTE_MS + 1);
  clock.advance(20 * MINUTE_MS);
  assertEquals(wakes, [["a", 10_000], ["b", 10 * MINUTE_MS + 1]]);
});

Deno.test("a lane that is to be looked at twice is looked at once, at the sooner time", () => {
  for (const times of [[10_000, 3_000], [3_000, 10_000]]) {
    const { clock, resting, wakes } = rest();
    for (const ms of times) resting.lookAgain("a", ms);
    clock.advance(MINUTE_MS);
    assertEquals(wakes, [["a", 3_000]]);
  }
});

Deno.test("a lane that waits already takes no other timer", () => {
  const { clock, resting } = rest();
  for (let n = 0; n < 3; n++) resting.lookAgain("a", 5_000);
  assertEquals(clock.pending, 1);
});

for (const jump of [3_600_000, -3_600_000]) {
  Deno.test(`a lane is looked at within a minute where the clock was put ${jump > 0 ? "forward" : "back"}`, () => {
    const { clock, resting, wakes } = rest();
    resting.lookAgain("a", 10 * MINUTE_MS);
    clock.advance(MINUTE_MS);
    assertEquals(wakes, [], "nobody has touched the clock yet");
    clock.jump(jump);
    clock.advance(MINUTE_MS);
    assertEquals(wakes, [["a", 2 * MINUTE_MS]]);
    clock.advance(20 * MINUTE_MS);
    assertEquals(wakes.length, 1);
  });
}

Deno.test("nothing is planned for now, nor once it has stopped", () => {
  const { clock, resting, wakes } = rest();
  for (const ms of [0, -1]) resting.lookAgain("a", ms);
  resting.stop();
  resting.lookAgain("b", 1);
  assertEquals([clock.pending, wakes], [0, []]);
});

Deno.test("what rests when it stops is let go at once, and rests no longer", () => {
  const { clock, timers, resting, wakes } = rest();
  resting.lookAgain("a", 10 * MINUTE_MS);
  resting.stop();
  timers.runAll();
  assertEquals([clock.pending, wakes], [0, [["a", 0]]]);
});

Deno.test("once it has stopped, nothing rests beyond the next look at the clock", () => {
  const { clock, resting } = rest();
  resting.lookAgain("a", 10 * MINUTE_MS);
  resting.stop();
  clock.advance(MINUTE_MS);
  assertEquals(clock.pending, 0);
});

Deno.test("a timer that has run is not run again with all that wait", () => {
  const clock = new FakeClock();
  const timers = new Timers(clock);
  const runs: string[] = [];
  timers.after(1_000, () => runs.push("first"));
  timers.after(2_000, () => runs.push("second"));
  clock.advance(1_000);
  timers.runAll();
  assertEquals([runs, clock.pending], [["first", "second"], 0]);
});
