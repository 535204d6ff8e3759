/** What the process holds beside open sockets, as the test says. */
import { assertEquals } from "@std/assert";
import { MemoryGrowth } from "../../src/machine/memory_growth.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const LOOK_MS = 100;

/** A process that may grow by 100 bytes, and two sockets that say whether they were ended. */
function watched() {
  const clock = new FakeClock();
  const growths: number[] = [];
  const dropped: string[] = [];
  const held: { bytes: number | undefined } = { bytes: 0 };
  const onGrown = (bytes: number) => void growths.push(bytes);
  const memory = new MemoryGrowth({ clock, onGrown, bytesMax: 100, memory: () => held.bytes });
  const open = (name: string) => memory.add(() => dropped.push(name));
  /** What was ended by the time that each of these was seen. */
  const after = (...amounts: (number | undefined)[]) =>
    amounts.map((bytes) => {
      held.bytes = bytes;
      clock.advance(LOOK_MS);
      return dropped.splice(0).join(" ");
    });
  return { clock, growths, held, open, after };
}

Deno.test("the sockets are ended once the process has grown by more than it may, from its least", () => {
  const { growths, held, open, after } = watched();
  held.bytes = 100;
  open("a");
  open("b");
  assertEquals(after(100, 50, 150, 151), ["", "", "", "a b"]);
  assertEquals(growths, [101]);
});

Deno.test("while the memory cannot be told, nothing is concluded from that", () => {
  const { held, open, after } = watched();
  held.bytes = 500;
  open("a");
  assertEquals(after(500, undefined, 600, undefined, 601), ["", "", "", "", "a"]);
});

Deno.test("for one growth the sockets are ended once, though what they held is not free at once", () => {
  const { growths, open, after } = watched();
  open("a");
  assertEquals(after(0, 200, 200, 300, 301), ["", "a", "", "", "a"]);
  assertEquals(growths.length, 2);
});

Deno.test("what the process has grown by while no socket was open does not count", () => {
  const { growths, open, after } = watched();
  const leave = open("a");
  assertEquals(after(0), [""]);
  leave();
  open("b");
  assertEquals(after(1_000, 1_100, 1_101), ["", "", "b"]);
  assertEquals(growths.length, 1);
});

Deno.test("a socket that is gone is not ended, and the others are watched on", () => {
  const { clock, open, after } = watched();
  const leave = open("a");
  const stay = open("b");
  assertEquals(after(0), [""]);
  leave();
  assertEquals(after(101), ["b"]);
  assertEquals(clock.pending, 1, "one look at a time");
  stay();
  assertEquals(after(0), [""]);
  assertEquals(clock.pending, 0, "nobody looks");
});
