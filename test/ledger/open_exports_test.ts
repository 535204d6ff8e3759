/** What an owner has open, as it is counted: at the start of a store and through all changes of it. */
import { assertEquals, assertNotEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { claimExport } from "../../src/exports/claim.ts";
import { acceptExport, settleExport } from "../../src/exports/export.ts";
import { openKvLedger } from "../../src/ledger/open_kv_ledger.ts";
import { countOpen, OpenExports } from "../../src/ledger/open_exports.ts";
import { ClockBell } from "../fakes/clock_bell.ts";
import { denying } from "../fakes/denying_kv.ts";
import { defined } from "../fakes/expect.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { notingReads } from "../fakes/noting_kv.ts";
import { Fault, faultyKv } from "../fakes/faulty_kv.ts";

const MAX = { exports: 3, bytes: 1_000_000 };

async function open(kv: Deno.Kv) {
  const clock = new FakeClock();
  const bell = new ClockBell(clock);
  const instance = "the-instance";
  const storage = () => Promise.resolve({ kind: "well" } as const);
  const policy = { storage, marks: {}, openMax: MAX, storedBytesPerDay: 1e12 };
  const parts = { kv, bell, clock, random: () => 0.5, instance, ...policy };
  const ledger = await openKvLedger(parts);
  const backoff = { delaysMs: [1_000], jitter: 0 };
  const [claimant, retentionMs] = [{ instance, boot: "first" }, 1_000];
  const claimFacts = () => ({ now: clock.now(), claimant, leaseMs: 1_000, backoff, retentionMs });
  const accepting = (owner: string, bytes: number, id: string = crypto.randomUUID()) => {
    const payload = new Uint8Array(bytes);
    const facts = { id, now: clock.now(), giveUpAfterMs: 60_000 };
    const change = acceptExport({ owner, uri: "https://a.example/", payload }, facts);
    return { change, payload };
  };
  const accept = async (owner: string, bytes: number, id?: string) => {
    const { change, payload } = accepting(owner, bytes, id);
    return { record: change.record, acceptance: await ledger.accept(change, payload) };
  };
  /** Accepts an export that comes to an idle lane, and claims it. */
  const acceptClaimed = async (owner: string, bytes: number) => {
    const { change, payload } = accepting(owner, bytes);
    const claim = claimExport(change.record, claimFacts());
    return await ledger.accept(change, payload, { claim });
  };
  /** Claims the first export of a lane; answers how it is carried to its end. */
  const claim = async (lane: string) => {
    const head = defined(await ledger.head(lane));
    const claim = defined(claimExport(head.record, claimFacts()));
    const held = defined(await ledger.claim(head, claim));
    const outcome = {
      kind: "answered",
      status: 200,
      truncated: false,
      answerBytes: 0,
      address: "192.0.2.1",
      ms: 1,
    } as const;
    const policy = { backoff, retryStatuses: [], retryAfterMaxMs: 0, retentionMs: 60_000 };
    const end = settleExport(held.record, outcome, policy, { now: clock.now(), chance: 0 });
    return () => ledger.settle(held, end);
  };
  /** Carries the first export of a lane to its end. */
  const finish = async (lane: string) => {
    const settle = await claim(lane);
    defined(await settle());
  };
  return { ledger, clock, accept, acceptClaimed, claim, finish, kv };
}

/** What the store says that `owner` has open. */
async function stored(kv: Deno.Kv, owner = "a") {
  return (await countOpen(kv, MAX)).of(owner);
}

Deno.test("an owner who has as much open as may be is told so, and another one is not", async () => {
  using kv = await Deno.openKv(":memory:");
  const { accept, finish } = await open(kv);
  const [first] = await Promise.all([accept("a", 10), accept("a", 20), accept("a", 300_000)]);
  const full = { kind: "full", of: "exports", max: 3, left: 0 };
  assertEquals((await accept("a", 1)).acceptance, full);
  assertEquals((await accept("b", 1)).acceptance, { kind: "accepted" });
  await finish(first.record.lane);
  assertEquals((await accept("a", 1)).acceptance, { kind: "accepted" });
});

Deno.test("of many who come at the same time no more are accepted than there is room for", async () => {
  using kv = await Deno.openKv(":memory:");
  const { accept } = await open(kv);
  const all = await Promise.all(Array.from({ length: 9 }, () => accept("a", 1)));
  assertEquals(all.filter(({ acceptance }) => acceptance.kind === "accepted").length, 3);
  assertEquals(await stored(kv), { exports: 3, bytes: 3 });
});

Deno.test("bytes are bounded as exports are, and the answer says how many are left", async () => {
  using kv = await Deno.openKv(":memory:");
  const { accept } = await open(kv);
  await accept("a", 999_000);
  const full = { kind: "full", of: "bytes", max: 1_000_000, left: 1_000 };
  assertEquals((await accept("a", 1_001)).acceptance, full);
  assertEquals((await accept("a", 1_000)).acceptance, { kind: "accepted" });
});

Deno.test("what is open is counted anew at each start, also in places of an older store", async () => {
  using kv = await Deno.openKv(":memory:");
  const first = await open(kv);
  const { record } = await first.accept("a", 10);
  await first.accept("a", 20);
  await first.accept("a", 30);
  await first.finish(record.lane);
  for await (const { key, value } of kv.list<Uint8Array>({ prefix: ["lane"] })) {
    if (new TextDecoder().decode(value).includes("20")) await kv.set(key, new Uint8Array());
  }
  assertEquals(await stored(kv), { exports: 2, bytes: 50 });
  const second = await open(kv);
  assertEquals((await second.accept("a", 1)).acceptance.kind, "accepted");
  assertEquals((await second.accept("a", 1)).acceptance.kind, "full");
});

Deno.test("what was claimed as it was accepted is counted at a start, too, and once", async () => {
  using kv = await Deno.openKv(":memory:");
  const { acceptClaimed, accept, claim } = await open(kv);
  assertEquals((await acceptClaimed("a", 10)).kind, "accepted");
  assertEquals(await stored(kv), { exports: 1, bytes: 10 });
  await accept("a", 20);
  const { record } = await accept("b", 5);
  await claim(record.lane);
  assertEquals(await stored(kv), { exports: 2, bytes: 30 });
  assertEquals(await stored(kv, "b"), { exports: 1, bytes: 5 });
});

Deno.test("a lane that is known to be empty is not read when it is woken", async () => {
  using kv = await Deno.openKv(":memory:");
  const calls: string[] = [];
  const { ledger, accept, finish } = await open(notingReads(kv, (call) => void calls.push(call)));
  const { record } = await accept("a", 10_000);
  calls.length = 0;
  assertNotEquals(await ledger.head(record.lane), undefined);
  assertNotEquals(calls, []);
  await finish(record.lane);
  calls.length = 0;
  assertEquals(await ledger.head(record.lane), undefined);
  assertEquals(calls, []);
});

Deno.test("a lane that is in doubt is read when it is woken, until it was found empty", async () => {
  using kv = await Deno.openKv(":memory:");
  const calls: string[] = [];
  const fault = new Fault("fails", 1);
  const { ledger, accept } = await open(
    faultyKv(notingReads(kv, (call) => void calls.push(call)), fault),
  );
  const { record } = await accept("b", 1);
  fault.arm();
  await assertRejects(() => accept("a", 1));
  fault.disarm();
  const { lane } = acceptExport(
    { owner: "a", uri: record.uri, payload: new Uint8Array() },
    { id: "id", now: 0, giveUpAfterMs: 1 },
  ).record;
  for (const isRead of [true, false]) {
    calls.length = 0;
    assertEquals(await ledger.head(lane), undefined);
    assertEquals(calls.length > 0, isRead);
  }
});

Deno.test("what was accepted a moment ago is not read, be it first in its lane or behind", async () => {
  using kv = await Deno.openKv(":memory:");
  const calls: string[] = [];
  const { ledger, accept, finish } = await open(notingReads(kv, (call) => void calls.push(call)));
  const { record } = await accept("a", 1_024);
  for (const bytes of [5, 10_000]) await accept("a", bytes);
  calls.length = 0;
  const head = defined(await ledger.head(record.lane));
  assertEquals(head.record, record);
  assertEquals(await ledger.payload(head), new Uint8Array(1_024));
  assertEquals((await ledger.behind(head))?.record.payload.bytes, 5);
  await finish(record.lane);
  calls.length = 0;
  const second = defined(await ledger.head(record.lane));
  assertEquals(second.record.payload.bytes, 5);
  assertEquals(calls, []);
  await finish(record.lane);
  const third = defined(await ledger.head(record.lane));
  assertEquals(third.record.payload.bytes, 10_000);
  assertNotEquals(calls, [], "it is too long to be kept");
});

Deno.test("what was not accepted is not counted, whatever went wrong", async () => {
  for (const bytes of [10, 300_000]) {
    for (let nth = 1; nth <= 6; nth++) {
      using kv = await Deno.openKv(":memory:");
      const fault = new Fault("fails", nth);
      const { accept } = await open(faultyKv(kv, fault));
      fault.arm();
      await accept("a", bytes).catch(() => {});
      fault.disarm();
      const { exports } = await stored(kv);
      const room = MAX.exports - exports;
      for (let n = 0; n < room; n++) {
        assertEquals((await accept("a", 1)).acceptance.kind, "accepted");
      }
      assertEquals((await accept("a", 1)).acceptance.kind, "full");
    }
  }
});

Deno.test("a bound that was lowered below what is open refuses, and says that nothing is left", async () => {
  using kv = await Deno.openKv(":memory:");
  const { accept } = await open(kv);
  await accept("a", 10);
  await accept("a", 10);
  const counted = await countOpen(kv, { exports: 1, bytes: 5 });
  const take = () => counted.begin({ owner: "a", lane: "a", payload: { bytes: 1 } });
  assertEquals(take(), { kind: "full", of: "exports", max: 1, left: 0 });
});

Deno.test("one export alone in its lane is known to be, unless the store may hold another", () => {
  const counted = new OpenExports({ exports: 9, bytes: 9 });
  const one = { owner: "a", lane: "lane", payload: { bytes: 1 } };
  const accepted = () => (counted.begin(one), counted.end(one));
  assertEquals(counted.isAlone("lane"), false);
  accepted();
  assertEquals(counted.isAlone("lane"), true);
  accepted();
  assertEquals(counted.isAlone("lane"), false);
  counted.remove(one);
  assertEquals(counted.isAlone("lane"), true);
  counted.remove(one);
  counted.begin(one);
  counted.end(one);
  counted.failed(one);
  accepted();
  assertEquals(counted.isAlone("lane"), false, "what was denied may be there");
  counted.remove(one);
  counted.foundEmpty("lane", counted.doubtSince("lane"));
  accepted();
  assertEquals(counted.isAlone("lane"), true);
});

Deno.test("a lane stays in doubt if it was found empty before the doubt, or while one is accepted", () => {
  const counted = new OpenExports({ exports: 9, bytes: 9 });
  const one = { owner: "a", lane: "lane", payload: { bytes: 1 } };
  const deny = () => {
    counted.begin(one);
    counted.end(one);
    counted.failed(one);
  };
  deny();
  const before = counted.doubtSince("lane");
  deny();
  counted.foundEmpty("lane", before);
  assertNotEquals(counted.doubtSince("lane"), undefined, "denied after the read began");
  counted.begin(one);
  counted.foundEmpty("lane", counted.doubtSince("lane"));
  assertNotEquals(counted.doubtSince("lane"), undefined, "one is on its way to the lane");
  const begun = counted.doubtSince("lane");
  counted.end(one);
  counted.foundEmpty("lane", begun);
  assertNotEquals(counted.doubtSince("lane"), undefined, "it came while the read was on its way");
  assertEquals(counted.isEmpty("lane"), false);
  counted.remove(one);
  assertEquals(counted.isEmpty("lane"), false, "what was denied may be there");
  counted.foundEmpty("lane", counted.doubtSince("lane"));
  assertEquals(counted.doubtSince("lane"), undefined);
  assertEquals(counted.isEmpty("lane"), true);
  counted.foundEmpty("lane", undefined);
  counted.add(one);
  deny();
  counted.foundEmpty("lane", counted.doubtSince("lane"));
  assertEquals(counted.isEmpty("lane"), true, "what was read counts, not what was counted");
});

Deno.test("an export that was settled by whoever took it over is counted as ended once", async () => {
  using kv = await Deno.openKv(":memory:");
  const { ledger, clock, accept, claim } = await open(kv);
  const { record } = await accept("a", 10);
  await accept("a", 20);
  const settleLate = await claim(record.lane);
  clock.advance(1_000);
  const settle = await claim(record.lane);
  assertNotEquals(await settle(), undefined);
  assertEquals(await settleLate(), undefined);
  assertEquals(ledger.openTotal(), { exports: 1, bytes: 20 });
});

Deno.test("what was settled by a commit that said it failed is open no longer, and counted once", async () => {
  using real = await Deno.openKv(":memory:");
  const { kv, denyNext } = denying(real);
  const { accept, claim } = await open(kv);
  const { record } = await accept("a", 1);
  await accept("a", 1);
  const settle = await claim(record.lane);
  denyNext();
  await assertRejects(settle);
  assertEquals(await settle(), undefined);
  assertEquals(await settle(), undefined);
  const kinds = [];
  for (let n = 0; n < 3; n++) kinds.push((await accept("a", 1)).acceptance.kind);
  assertEquals(kinds, ["accepted", "accepted", "full"]);
});

Deno.test("an owner with nothing open is forgotten, and no count falls below zero", () => {
  const open = new OpenExports({ exports: 1, bytes: 10 });
  const one = { owner: "ann", lane: "a", payload: { bytes: 10 } };
  open.begin(one);
  open.end(one);
  open.remove(one);
  assertStrictEquals(open.of("ann"), open.of("nobody"));
  open.remove(one);
  assertEquals(open.total(), { exports: 0, bytes: 0 });
});
