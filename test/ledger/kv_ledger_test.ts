/** The ledger on Deno KV: the contract on both kinds of store, and what is its own. */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { claimExport } from "../../src/exports/claim.ts";
import { acceptExport, settleExport } from "../../src/exports/export.ts";
import type { ExportRecord } from "../../src/exports/record.ts";
import { instanceOf } from "../../src/ledger/instance.ts";
import { keys } from "../../src/ledger/keys.ts";
import type { KvLedger } from "../../src/ledger/kv_ledger.ts";
import { openKvLedger } from "../../src/ledger/open_kv_ledger.ts";
import { entriesIn } from "../../src/ledger/pages.ts";
import { StorageError, type StorageState } from "../../src/ledger/storage.ts";
import { decodeExport, encodeLease } from "../../src/ledger/stored.ts";
import { ClockBell } from "../fakes/clock_bell.ts";
import { denying } from "../fakes/denying_kv.ts";
import { defined } from "../fakes/expect.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { Fault, quiet, STALL_MS } from "../fakes/fault.ts";
import { faultyKv } from "../fakes/faulty_kv.ts";
import { notingReads } from "../fakes/noting_kv.ts";
import { RecordsTold } from "../fakes/records_told.ts";
import { having } from "../fakes/ruled.ts";
import { testLedger } from "./ledger_contract.ts";

interface Opened extends AsyncDisposable {
  readonly ledger: KvLedger;
  readonly clock: FakeClock;
  readonly kv: Deno.Kv;
  rung(): string[];
}

interface Bounds {
  readonly storage?: () => StorageState;
  readonly storedBytesPerDay?: number;
}

async function open(
  kv: Deno.Kv,
  close: () => Promise<void> | void = () => {},
  clock = new FakeClock(),
  { storage = () => ({ kind: "well" }), storedBytesPerDay = 1e12 }: Bounds = {},
): Promise<Opened> {
  const bell = new ClockBell(clock);
  const ledger = await openKvLedger({
    kv,
    bell,
    clock,
    random: () => 0.5,
    instance: await instanceOf(kv, "the-instance"),
    storage: () => Promise.resolve(storage()),
    marks: { unsafe_loopback: true },
    storedBytesPerDay,
    openMax: { exports: 100, bytes: 10_485_760 },
  });
  let rung: string[] = [];
  bell.onRing((lanes) => rung.push(...lanes));
  return {
    ledger,
    clock,
    kv,
    rung() {
      const lanes = rung;
      rung = [];
      return lanes;
    },
    async [Symbol.asyncDispose]() {
      await ledger.close();
      kv.close();
      await close();
    },
  };
}

testLedger("KV in memory", async () => await open(await Deno.openKv(":memory:")));

testLedger("KV in a file", async () => {
  const folder = await Deno.makeTempDir();
  const kv = await Deno.openKv(`${folder}/export.kv`);
  return await open(kv, () => Deno.remove(folder, { recursive: true }));
});

function accepting(clock: FakeClock, bytes: number) {
  const payload = new Uint8Array(bytes);
  const change = acceptExport({ owner: "owner", uri: "https://a.example/", payload }, {
    id: crypto.randomUUID(),
    now: clock.now(),
    giveUpAfterMs: 60_000,
  });
  return { change, payload };
}

const POLICY = {
  backoff: { delaysMs: [5_000], jitter: 0 },
  retryStatuses: [],
  retryAfterMaxMs: 60_000,
  retentionMs: 60_000,
};

/** The claim of an export that nobody has. */
function claimOf(record: ExportRecord, clock: FakeClock) {
  const claimant = { instance: "one", boot: "first" };
  return defined(
    claimExport(record, { ...POLICY, now: clock.now(), claimant, leaseMs: 45_000 }),
  );
}

/** A lane of two exports, the first one claimed; `settle` finishes that one and claims the other. */
async function twoInLane({ ledger, clock }: Opened, answer = new Uint8Array()) {
  const [first, second] = [accepting(clock, 10), accepting(clock, 10)];
  const { lane } = first.change.record;
  for (const { change, payload } of [first, second]) await ledger.accept(change, payload);
  const head = defined(await ledger.head(lane));
  const claimed = defined(await ledger.claim(head, claimOf(head.record, clock)));
  const held = defined(await ledger.behind(claimed));
  const follower = { held, claim: claimOf(held.record, clock) };
  const outcome = { kind: "failed", code: "destination_refused", ms: 1 } as const;
  const facts = { now: clock.now(), chance: 0 };
  const settlement = settleExport(claimed.record, outcome, POLICY, facts);
  assertEquals(settlement.record.state, "finished");
  return {
    lane,
    ids: [first.change.record.id, second.change.record.id] as const,
    settle: () => ledger.settle(claimed, settlement, { answer, follower }),
    settleAlone: () => ledger.settle(claimed, settlement, { answer }),
  };
}

/** Writes what lies there once more, so that it has another version. */
async function rewrite(kv: Deno.Kv, key: Deno.KvKey): Promise<void> {
  await kv.set(key, defined((await kv.get<Uint8Array>(key)).value));
}

/** Records as they lie in the store, not as they are remembered. */
async function statesIn(kv: Deno.Kv, ids: readonly string[]): Promise<unknown[]> {
  const entries = await Promise.all(ids.map((id) => kv.get<Uint8Array>(keys.export(id))));
  return entries.map(({ value }) => decodeExport(defined(value)).record.state);
}

async function keysIn(kv: Deno.Kv): Promise<string[]> {
  const entries = await Array.fromAsync(kv.list({ prefix: [] }));
  return entries.map(({ key }) => String(key[0]));
}

Deno.test("a store has one name, whoever opens it", async () => {
  const kv = await Deno.openKv(":memory:");
  assertEquals(await instanceOf(kv, "first"), "first");
  assertEquals(await instanceOf(kv, "second"), "first");
  kv.close();
});

Deno.test("a new store has one name, though two come to name it at once", async () => {
  using kv = await Deno.openKv(":memory:");
  const [one, other] = await Promise.all(["one", "other"].map((name) => instanceOf(kv, name)));
  assertEquals(one, other);
  assertEquals((await kv.get(keys.instance())).value, one);
});

Deno.test("a large payload that is not accepted leaves nothing behind", async () => {
  await using opened = await open(await Deno.openKv(":memory:"));
  const { ledger, clock, kv } = opened;
  const idempotency = { key: "k", fingerprint: "f", expiresAt: clock.now() + 1_000 };
  const submissions = [accepting(clock, 1_000_000), accepting(clock, 1_000_000)];
  // Both stage their parts before either is accepted.
  const acceptances = await Promise.all(
    submissions.map(({ change, payload }) => ledger.accept(change, payload, { idempotency })),
  );
  assertEquals(acceptances.map(({ kind }) => kind).sort(), ["accepted", "replayed"]);
  const kept = await keysIn(kv);
  assertEquals(kept.filter((key) => key === "payload").length, 16);
  assert(!kept.includes("staged"));
});

for (const way of [1, -1]) {
  Deno.test(`parts staged by a process that died are swept when they are ten minutes ${way > 0 ? "old" : "ahead of a clock put back"}, those of accepted exports stay`, async () => {
    const kv = await Deno.openKv(":memory:");
    const fault = new Fault("crashes", 4);
    await using opened = await open(faultyKv(kv, fault));
    const { clock } = opened;
    const kept = accepting(clock, 1_000_000);
    await opened.ledger.accept(kept.change, kept.payload);
    fault.arm();
    const lost = accepting(clock, 1_000_000);
    await assertRejects(() => opened.ledger.accept(lost.change, lost.payload));
    fault.disarm();
    assert((await keysIn(kv)).includes("staged"));
    assertEquals(await opened.ledger.sweep(), 0, "it may still be on its way");
    clock.jump(600_000 * way);
    assertEquals(await opened.ledger.sweep(), 0, "nor for ten minutes");
    clock.jump(way);
    assertEquals(await opened.ledger.sweep(), 1);
    assertEquals((await keysIn(kv)).filter((key) => key === "payload").length, 16);
    assert(!(await keysIn(kv)).includes("staged"));
  });
}

// The marker is the first call, the parts are the next two, then it is accepted.
for (const [call, when] of [[2, "still being staged"], [4, "about to be accepted"]] as const) {
  Deno.test(`a submission that is swept while it is ${when} is refused, and leaves nothing`, async () => {
    const kv = await Deno.openKv(":memory:");
    const clock = new FakeClock();
    // It comes when the sweeper has been.
    const fault = new Fault("stalls", call, clock);
    await using opened = await open(faultyKv(kv, fault), () => {}, clock);
    fault.arm();
    const slow = accepting(clock, 1_000_000);
    const refused = assertRejects(() => opened.ledger.accept(slow.change, slow.payload));
    await quiet(fault);
    clock.jump(3_600_000);
    assertEquals(await opened.ledger.sweep(), 1);
    clock.advance(STALL_MS);
    await refused;
    const left = new Set(await keysIn(kv));
    assertEquals(left, new Set(["decoy", "format", "instance"]));
  });
}

Deno.test("what was accepted by a commit whose answer was lost, and a read behind it too, is accepted", async () => {
  const kv = await Deno.openKv(":memory:");
  const { kv: denied, denyNext, isOver } = denying(kv);
  await using opened = await open(denied);
  const { ledger, clock } = opened;
  const submissions = [1, 10, 100].map((bytes) => accepting(clock, bytes));
  denyNext();
  const acceptances = await Promise.all(
    submissions.map(({ change, payload }) => ledger.accept(change, payload)),
  );
  assertEquals(isOver(), true, "the commit lied, and the read failed");
  assertEquals(acceptances, Array(3).fill({ kind: "accepted" }));
  const lane = submissions[0]?.change.record.lane ?? "";
  const waiting = await Array.fromAsync(kv.list({ prefix: keys.places(lane) }));
  assertEquals(waiting.length, 3);
});

Deno.test("what was accepted is accepted also where nobody could look after its commit in time", async () => {
  using real = await Deno.openKv(":memory:");
  const { kv, denyNext, isOver } = denying(real);
  const { ledger, clock } = await open(kv);
  await ledger.enter({ kind: "refusals.omitted", at: 0, count: 1 });
  const submissions = [1, 10].map((bytes) => accepting(clock, bytes));
  denyNext(2);
  const acceptances = await Promise.all(
    submissions.map(({ change, payload }) => ledger.accept(change, payload)),
  );
  assertEquals(isOver(), true, "the commit lied, and two reads failed");
  assertEquals(acceptances, Array(2).fill({ kind: "accepted" }));
  assertEquals(ledger.openTotal(), { exports: 2, bytes: 11 });
});

Deno.test("what is finished is kept for its retention and the spread of expiries, answer and all", async () => {
  const kv = await Deno.openKv(":memory:");
  const kept: (readonly [key: string, expireIn: number | undefined])[] = [];
  const atomic = () => {
    const operation = kv.atomic();
    const set = operation.set.bind(operation);
    operation.set = (key, value, options) => {
      if (options?.expireIn !== undefined) kept.push([String(key[0]), options.expireIn]);
      return set(key, value, options);
    };
    return operation;
  };
  await using opened = await open(having(kv, { atomic }));
  const { settle } = await twoInLane(opened, new Uint8Array(1_000));
  assertNotEquals(await settle(), undefined);
  // Half of five minutes, as chance has it here.
  const expireIn = POLICY.retentionMs + 150_000;
  assertEquals(kept, [["export", expireIn], ["answer", expireIn]]);
  const { change, payload } = accepting(opened.clock, 10);
  const idempotency = { key: "k", fingerprint: "f", expiresAt: opened.clock.now() + 5_000 };
  await opened.ledger.accept(change, payload, { idempotency });
  assertEquals(kept.slice(2), [["idempotency", 5_000]]);
});

const LITTLE_ROOM: readonly (readonly [StorageState, done: readonly string[]])[] = [
  [{ kind: "low", roomBytes: 1 }, ["settle", "settle and claim"]],
  [{ kind: "exhausted", roomBytes: 1 }, ["settle"]],
  [{ kind: "lost" }, []],
];

for (const [state, done] of LITTLE_ROOM) {
  Deno.test(`a ledger on a store that is ${state.kind} does ${done.join(" or ") || "nothing"}, and enters no refusal`, async () => {
    using kv = await Deno.openKv(":memory:");
    let now: StorageState = { kind: "well" };
    const opened = await open(kv, () => {}, new FakeClock(), { storage: () => now });
    const { ledger, clock } = opened;
    const { settle, settleAlone } = await twoInLane(opened);
    const { change, payload } = accepting(clock, 10);
    now = state;
    const uses: Readonly<Record<string, () => Promise<unknown>>> = {
      accept: () => ledger.accept(change, payload),
      enter: () => ledger.enter({ kind: "refusals.omitted", at: 0, count: 1 }),
      probe: () => ledger.probe(),
      "settle and claim": settle,
      settle: settleAlone,
    };
    for (const [name, use] of Object.entries(uses)) {
      if (done.includes(name)) await use();
      else await assertRejects(use, StorageError, "Cannot write to the store", name);
    }
  });
}

Deno.test("what a commit may have claimed though it said that it failed is not told as it was before", async () => {
  using real = await Deno.openKv(":memory:");
  const { kv, denyNext } = denying(real);
  const opened = await open(kv);
  const { ids, settle } = await twoInLane(opened);
  denyNext();
  await assertRejects(settle);
  assertEquals(await statesIn(real, ids), ["finished", "delivering"]);
  const told = await Promise.all(ids.map((id) => opened.ledger.find(id, () => true)));
  assertEquals(told.map((record) => record?.state), ["finished", "delivering"]);
});

Deno.test("an export counts as much against a day's bytes, however it is claimed", async () => {
  const waits = [];
  for (const isTogether of [true, false]) {
    using kv = await Deno.openKv(":memory:");
    const opened = await open(kv, () => {}, new FakeClock(), { storedBytesPerDay: 2_500 });
    const { ledger, clock } = opened;
    const { lane, settle, settleAlone } = await twoInLane(opened);
    if (isTogether) assertNotEquals(await settle(), undefined);
    else {
      assertNotEquals(await settleAlone(), undefined);
      const head = defined(await ledger.head(lane));
      assertNotEquals(await ledger.claim(head, claimOf(head.record, clock)), undefined);
    }
    const { change, payload } = accepting(clock, 10);
    waits.push(await ledger.accept(change, payload));
  }
  assertEquals(waits.map(({ kind }) => kind), ["over_quota", "over_quota"]);
  assertEquals(waits[0], waits[1]);
});

Deno.test("every entry carries the marks that its ledger was opened with", async () => {
  using kv = await Deno.openKv(":memory:");
  const opened = await open(kv);
  const { settle } = await twoInLane(opened);
  await settle();
  await opened.ledger.enter({ kind: "refusals.omitted", at: 0, count: 1 });
  const pages = await Array.fromAsync(kv.list<Uint8Array>({ prefix: keys.pages() }));
  const entries = pages.flatMap(({ value }) => entriesIn(value))
    .map((entry) => JSON.parse(new TextDecoder().decode(entry)));
  assertEquals(entries.length, 6);
  assertEquals(entries.filter((entry) => entry.unsafe_loopback !== true), []);
});

Deno.test("a poll of what was committed a moment ago costs the store nothing", async () => {
  using real = await Deno.openKv(":memory:");
  const calls: string[] = [];
  const opened = await open(notingReads(real, (call) => void calls.push(call)));
  const { ledger } = opened;
  const assertKnown = async (id: string, state: string) => {
    calls.length = 0;
    const told = new RecordsTold();
    assertEquals((await ledger.find(id, () => true))?.state, state);
    ledger.watch(id, told)();
    assertEquals([told.states(), calls], [[state], []]);
  };
  const { ids: [first, second], settle } = await twoInLane(opened);
  await assertKnown(first, "delivering");
  await assertKnown(second, "pending");
  const { change, payload } = accepting(opened.clock, 10);
  assertNotEquals(await settle(), undefined);
  await assertKnown(first, "finished");
  await assertKnown(second, "delivering");
  const other = acceptExport({ owner: "b", uri: "https://a.example/", payload }, {
    ...{ id: change.record.id, now: opened.clock.now(), giveUpAfterMs: 60_000 },
  });
  await ledger.accept(other, payload, { claim: claimOf(other.record, opened.clock) });
  await assertKnown(other.record.id, "delivering");
});

Deno.test("whoever has lost the lease alone changes nothing", async () => {
  await using opened = await open(await Deno.openKv(":memory:"));
  const { kv } = opened;
  const { lane, ids, settle } = await twoInLane(opened);
  await rewrite(kv, keys.lease(lane));
  assertEquals(await settle(), undefined);
  assertEquals(await statesIn(kv, ids), ["delivering", "pending"]);
});

Deno.test("where the record behind alone was changed, neither is claimed nor finished", async () => {
  await using opened = await open(await Deno.openKv(":memory:"));
  const { kv } = opened;
  const { ids, settle } = await twoInLane(opened);
  await rewrite(kv, keys.export(ids[1]));
  assertEquals(await settle(), undefined);
  assertEquals(await statesIn(kv, ids), ["delivering", "pending"]);
});

Deno.test("what is accepted where another hand has the lease is not claimed, and waits", async () => {
  await using opened = await open(await Deno.openKv(":memory:"));
  const { kv, ledger, clock } = opened;
  const other = accepting(clock, 10).change.record;
  const { change, payload } = accepting(clock, 10);
  const { id, lane } = change.record;
  await kv.set(keys.lease(lane), encodeLease(defined(claimOf(other, clock).lease)));
  const claim = claimOf(change.record, clock);
  assertEquals(await ledger.accept(change, payload, { claim }), { kind: "accepted" });
  assertEquals(await statesIn(kv, [id]), ["pending"]);
});

Deno.test("those who come with one key at the same time deny nobody a shared commit", async () => {
  const kv = await Deno.openKv(":memory:");
  let denied = 0;
  const atomic = kv.atomic.bind(kv);
  kv.atomic = () => {
    const operation = atomic();
    const commit = operation.commit.bind(operation);
    operation.commit = async () => {
      const result = await commit();
      if (!result.ok) denied++;
      return result;
    };
    return operation;
  };
  await using opened = await open(kv);
  const { ledger, clock } = opened;
  const idempotency = { key: "k", fingerprint: "f", expiresAt: clock.now() + 1_000 };
  const twins = Array.from({ length: 20 }, () => accepting(clock, 10));
  const others = Array.from({ length: 5 }, () => accepting(clock, 10));
  const acceptances = await Promise.all([
    ...twins.map(({ change, payload }) => ledger.accept(change, payload, { idempotency })),
    ...others.map(({ change, payload }) => ledger.accept(change, payload)),
  ]);
  const kinds = acceptances.map(({ kind }) => kind);
  assertEquals(kinds.filter((kind) => kind === "accepted").length, 6);
  assertEquals(kinds.filter((kind) => kind === "replayed").length, 19);
  assertEquals(denied, 0);
});
