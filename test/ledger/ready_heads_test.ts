import { assertEquals } from "@std/assert";
import { acceptExport } from "../../src/exports/export.ts";
import type { Held } from "../../src/ledger/ledger.ts";
import { ReadyHeads } from "../../src/ledger/ready_heads.ts";

function held(owner: string, payload: Uint8Array): Held {
  const request = { owner, uri: "https://a.example/", payload };
  const { record } = acceptExport(request, { id: owner, now: 0, giveUpAfterMs: 1 });
  const versions = { record: "1", lease: null };
  const stored = { versions, order: 1, hasPlace: true, first: payload, parts: 0 };
  return { record, lease: undefined, stored };
}

const [one, two, three] = ["one", "two", "three"].map((owner) => held(owner, new Uint8Array(1)));

Deno.test("a head that was noted is there with its payload, until its lane is changed", () => {
  const ready = new ReadyHeads();
  const payload = new Uint8Array(4_096);
  const head = held("owner", payload);
  ready.note(head, payload);
  assertEquals(ready.head(head.record.lane), head);
  assertEquals(ready.payload(head), payload);
  ready.forget(head.record.lane);
  assertEquals(ready.head(head.record.lane), undefined);
  assertEquals(ready.payload(head), payload, "whoever has it may go on with it");
});

Deno.test("one with a long payload is not kept", () => {
  const ready = new ReadyHeads();
  const head = held("owner", new Uint8Array(4_097));
  ready.note(head, new Uint8Array(4_097));
  assertEquals(ready.head(head.record.lane), undefined);
});

Deno.test("of too many the one that was noted longest ago goes", () => {
  const ready = new ReadyHeads(2);
  for (const head of [one, two, three]) if (head) ready.note(head, new Uint8Array(1));
  const kept = [one, two, three].map((head) => ready.head(head?.record.lane ?? "")?.record.id);
  assertEquals(kept, [undefined, "two", "three"]);
});
