import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Places } from "../../src/http/places.ts";

Deno.test("one owner cannot take the places of all", () => {
  const places = new Places({ total: 3, perOwner: 2 });
  const leaves = [places.take("a"), places.take("a")];
  assertEquals([places.has("a"), places.take("a")], [false, undefined]);
  leaves.push(places.take("b"));
  assert(leaves.every((leave) => leave !== undefined));
  assertEquals([places.take("c"), places.taken], [undefined, 3]);
  leaves[0]?.();
  assertEquals([places.has("a"), places.has("c"), places.taken], [true, true, 2]);
});

Deno.test("places may be taken several at a time, and are found all or none", () => {
  const places = new Places({ total: 10, perOwner: 6 });
  const leave = places.take("a", 4);
  assertEquals([places.take("a", 3), places.has("a", 2), places.taken], [undefined, true, 4]);
  leave?.();
  assertEquals([places.take("a", 7), places.has("a", 6)], [undefined, true]);
});

Deno.test("a place is given back once, however often it is said", () => {
  const places = new Places({ total: 2, perOwner: 2 });
  const [first, second] = [places.take("a"), places.take("a")];
  first?.();
  first?.();
  assertEquals(places.taken, 1);
  second?.();
  assertEquals([places.taken, places.owners], [0, 0]);
});

Deno.test("whatever comes and goes, no bound is passed and nobody is remembered in the end", () => {
  const step = fc.record({
    owner: fc.constantFrom("a", "b", "c"),
    count: fc.integer({ min: 0, max: 4 }),
    leaves: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
    const places = new Places({ total: 7, perOwner: 4 });
    const held: { owner: string; count: number; leave: () => void }[] = [];
    const sum = (owner?: string) =>
      held.filter((each) => owner === undefined || each.owner === owner)
        .reduce((sum, { count }) => sum + count, 0);
    for (const { owner, count, leaves } of steps) {
      if (leaves) held.shift()?.leave();
      const leave = places.take(owner, count);
      const room = sum() + count <= 7 && sum(owner) + count <= 4;
      assertEquals(leave !== undefined, room);
      if (leave !== undefined) held.push({ owner, count, leave });
      assertEquals(places.taken, sum());
    }
    for (const { leave } of held) leave();
    assertEquals([places.taken, places.owners], [0, 0]);
  }));
});
