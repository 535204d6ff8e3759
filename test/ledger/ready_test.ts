import { assertEquals } from "@std/assert";
import { acceptExport } from "../../src/exports/export.ts";
import type { Held } from "../../src/ledger/ledger.ts";
import { FRONT, Ready } from "../../src/ledger/ready.ts";

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
function accepting(ready: Ready, orders: readonly number[], isFirst: (n: number) => boolean) {
  return orders.map((order, n) => {
    const one = held("owner", order);
    const before = ready.follow(LANE, order, isFirst(n));
    ready.note(one, PAYLOAD, before);
    return one;
  });
}

Deno.test("what was accepted stands behind what was accepted before it, with its payload", () => {
  const ready = new Ready();
  const [one, two, three] = accepting(ready, [7, 8, 9], (n) => n === 0);
  assertEquals(ready.behind(LANE, FRONT), one);
  assertEquals([7, 8, 9].map((order) => ready.behind(LANE, order)), [two, three, undefined]);
  assertEquals(one && ready.payload(one), PAYLOAD);
  assertEquals(ready.behind("other", FRONT), undefined);
});

Deno.test("what stands behind a finished one comes to the front", () => {
  const ready = new Ready();
  const [, two] = accepting(ready, [7, 8], (n) => n === 0);
  ready.forget(LANE, FRONT);
  assertEquals(ready.behind(LANE, FRONT), undefined);
  ready.advance(LANE, 7);
  assertEquals([ready.behind(LANE, FRONT), ready.behind(LANE, 7)], [two, undefined]);
  ready.advance(LANE, 9);
  assertEquals(ready.behind(LANE, FRONT), two);
});

Deno.test("behind what is not known nothing is, nor behind what was denied", () => {
  const ready = new Ready();
  accepting(ready, [7], () => false);
  assertEquals(ready.behind(LANE, FRONT), undefined);
  ready.follow(LANE, 8, false);
  const [three] = accepting(ready, [9], () => false);
  assertEquals(ready.behind(LANE, 7), undefined, "the denied one may stand between");
  assertEquals(ready.behind(LANE, 8), three);
});

Deno.test("a lane that was left is not known any more", () => {
  const ready = new Ready();
  accepting(ready, [7], () => true);
  ready.leave(LANE);
  assertEquals(ready.behind(LANE, FRONT), undefined);
  assertEquals(ready.follow(LANE, 8, false), undefined);
});

Deno.test("one with a long payload is not kept", () => {
  const ready = new Ready();
  const long = new Uint8Array(4_097);
  ready.note(held("owner", 1, long), long, FRONT);
  assertEquals(ready.behind(LANE, FRONT), undefined);
});

Deno.test("of too many the one that was noted longest ago goes", () => {
  const ready = new Ready(2);
  const [, two, three] = accepting(ready, [7, 8, 9], (n) => n === 0);
  const kept = [FRONT, 7, 8].map((order) => ready.behind(LANE, order));
  assertEquals(kept, [undefined, two, three]);
});
