import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { HostPlaces } from "../../src/deliver/host_places.ts";

Deno.test("a host takes as many lanes as it has places", () => {
  const places = new HostPlaces(2);
  assertEquals(["a", "b", "c"].map((lane) => places.take("host", lane)), [true, true, false]);
});

Deno.test("a lane that has a place keeps it, however often it asks", () => {
  const places = new HostPlaces(1);
  assert(places.take("host", "a"));
  assert(places.take("host", "a"));
  assertEquals(places.free("a"), undefined);
  assert(places.take("host", "b"));
});

Deno.test("hosts have their places apart", () => {
  const places = new HostPlaces(1);
  assert(places.take("one", "a"));
  assert(places.take("other", "b"));
  assert(!places.take("one", "c"));
  assertEquals(places.free("b"), undefined);
  assertEquals(places.free("a"), "c");
});

Deno.test("a free place goes to the lane that has waited longest, and is kept for it", () => {
  const places = new HostPlaces(1);
  for (const lane of ["a", "b", "c"]) places.take("host", lane);
  assertEquals(places.free("a"), "b");
  assert(!places.take("host", "d"));
  assert(places.take("host", "b"));
  assertEquals([places.free("b"), places.free("c"), places.free("d")], ["c", "d", undefined]);
  assert(places.take("host", "e"));
});

Deno.test("asking again does not lose a lane its turn", () => {
  const places = new HostPlaces(1);
  for (const lane of ["a", "b", "c", "b"]) places.take("host", lane);
  assertEquals([places.free("a"), places.free("b"), places.free("c")], ["b", "c", undefined]);
});

Deno.test("a lane without a place has nothing to give back, and goes on waiting", () => {
  const places = new HostPlaces(1);
  assertEquals(places.free("stranger"), undefined);
  places.take("host", "a");
  places.take("host", "b");
  assertEquals(places.free("b"), undefined);
  assertEquals(places.free("a"), "b");
});

Deno.test("whoever comes and goes, no host is over its bound and none is forgotten", () => {
  const lane = fc.nat(9).map((n) => ({ lane: `${n}`, host: `host ${n % 2}` }));
  const move = fc.record({ at: lane, leaves: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), fc.array(move), (max, moves) => {
      const places = new HostPlaces(max);
      // Lanes of each host in the order in which they asked; the first `max` have a place.
      const asked = new Map<string, string[]>();
      for (const { at: { lane, host }, leaves } of moves) {
        const queue = asked.get(host) ?? [];
        const placed = queue.slice(0, max).includes(lane);
        if (leaves) {
          assertEquals(places.free(lane), placed ? queue[max] : undefined);
          if (placed) asked.set(host, queue.filter((other) => other !== lane));
        } else {
          if (!queue.includes(lane)) queue.push(lane);
          asked.set(host, queue);
          assertEquals(places.take(host, lane), queue.slice(0, max).includes(lane));
        }
        const waits = [...asked.values()].some((queue) => queue.slice(max).includes(lane));
        assertEquals(places.isWaiting(lane), waits);
        assertEquals(places.isWanted(host), (asked.get(host) ?? []).length > max);
      }
    }),
    { numRuns: 300 },
  );
});
