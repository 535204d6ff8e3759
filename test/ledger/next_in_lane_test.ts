import { assertEquals } from "@std/assert";
import { acceptExport } from "../../src/exports/export.ts";
import type { Held } from "../../src/ledger/ledger.ts";
import { FRONT, NextInLane } from "../../src/ledger/next_in_lane.ts";

const PAYLOAD = new Uint8Array(1);
const LANE = held("owner", 1).record.lane;

function held(owner: string, order: number, payload = PAYLOAD): Held {
  const request = { owner, uri: "https://a.example/", payload };
  const facts = { id: `${owner} ${order}`, now: 0, giveUpAfterMs: 1 };
  const { record } = acceptExport(request, facts);
  const versions = { record: "1", lease: null };
  const stored = { versions, order, hasPlace: true, first: payload, parts: 0 };
  return { record, lease: undefined, stored };
}

/** Accepts one after the other in one lane. */
function accepting(
  nextInLane: NextInLane,
  orders: readonly number[],
  isFirst: (n: number) => boolean,
) {
  return orders.map((order, n) => {
    const one = held("owner", order);
    const before = nextInLane.follow(LANE, order, isFirst(n));
    nextInLane.note(one, PAYLOAD, before);
    return one;
  });
}

Deno.test("what was accepted stands behind what was accepted before it, with its payload", () => {
  const nextInLane = new NextInLane();
  const [one, two, three] = accepting(nextInLane, [7, 8, 9], (n) => n === 0);
  assertEquals(nextInLane.behind(LANE, FRONT), one);
  assertEquals([7, 8, 9].map((order) => nextInLane.behind(LANE, order)), [two, three, undefined]);
  assertEquals(one && nextInLane.payload(one), PAYLOAD);
  assertEquals(nextInLane.behind("other", FRONT), undefined);
});

Deno.test("what stands behind a finished one comes to the front", () => {
  const nextInLane = new NextInLane();
  const [, two] = accepting(nextInLane, [7, 8], (n) => n === 0);
  nextInLane.forget(LANE, FRONT);
  assertEquals(nextInLane.behind(LANE, FRONT), undefined);
  nextInLane.advance(LANE, 7);
  assertEquals([nextInLane.behind(LANE, FRONT), nextInLane.behind(LANE, 7)], [two, undefined]);
  nextInLane.advance(LANE, 9);
  assertEquals(nextInLane.behind(LANE, FRONT), two);
});

Deno.test("behind what is not known nothing is, nor behind what was denied", () => {
  const nextInLane = new NextInLane();
  accepting(nextInLane, [7], () => false);
  assertEquals(nextInLane.behind(LANE, FRONT), undefined);
  nextInLane.follow(LANE, 8, false);
  const [three] = accepting(nextInLane, [9], () => false);
  assertEquals(nextInLane.behind(LANE, 7), undefined, "the denied one may stand between");
  assertEquals(nextInLane.behind(LANE, 8), three);
});

Deno.test("a lane that was left is not known any more", () => {
  const nextInLane = new NextInLane();
  accepting(nextInLane, [7], () => true);
  nextInLane.leave(LANE);
  assertEquals(nextInLane.behind(LANE, FRONT), undefined);
  assertEquals(nextInLane.follow(LANE, 8, false), undefined);
});

Deno.test("one with a long payload is not kept", () => {
  const nextInLane = new NextInLane();
  const long = new Uint8Array(4_097);
  nextInLane.note(held("owner", 1, long), long, FRONT);
  assertEquals(nextInLane.behind(LANE, FRONT), undefined);
});

Deno.test("of too many the one that was noted longest ago goes", () => {
  const nextInLane = new NextInLane(2);
  const [, two, three] = accepting(nextInLane, [7, 8, 9], (n) => n === 0);
  const kept = [FRONT, 7, 8].map((order) => nextInLane.behind(LANE, order));
  assertEquals(kept, [undefined, two, three]);
});
