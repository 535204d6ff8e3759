/** What any ledger must do, whatever it stands on. Each promise is a test of its own. */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { claimExport, turnOf } from "../../src/exports/claim.ts";
import { acceptExport, type Change, settleExport } from "../../src/exports/export.ts";
import type { Delivering, Pending } from "../../src/exports/record.ts";
import type { Follower, Held, Ledger, Settled } from "../../src/ledger/ledger.ts";
import { defined, finished } from "../fakes/expect.ts";
import type { FakeClock } from "../fakes/fake_clock.ts";
import { RecordsTold } from "../fakes/records_told.ts";

/** A fresh ledger for one test. */
export interface LedgerUnderTest extends AsyncDisposable {
  readonly ledger: Ledger;
  readonly clock: FakeClock;
  /** Lanes rung since the last call. */
  rung(): string[];
}

const ANYBODY = () => true;
const CLAIMANT = { instance: "one", boot: "first" };
const POLICY = {
  backoff: { delaysMs: [5_000], jitter: 0 },
  retryStatuses: [],
  retryAfterMaxMs: 60_000,
  retentionMs: 60_000,
};
const ANSWER = new TextEncoder().encode("thank you");

/** Declares the whole suite for one kind of ledger. */
export function testLedger(name: string, open: () => Promise<LedgerUnderTest>): void {
  const promise = (what: string, check: (test: LedgerUnderTest) => Promise<void>) =>
    Deno.test(`${name}: ${what}`, async () => {
      await using test = await open();
      await check(test);
    });

  promise("what was accepted is found, with its payload, at the head of its lane", async (test) => {
    const record = await accept(test, { data: "[1]" });
    assertEquals(await test.ledger.find(record.id, ANYBODY), record);
    const head = await headOf(test, record.lane);
    assertEquals(text(await test.ledger.payload(head)), "[1]");
    assertEquals(head.record, record);
    assertEquals(head.lease, undefined);
    assertEquals(await Array.fromAsync(test.ledger.lanes()), [record.lane]);
    assertEquals(test.rung(), [record.lane]);
  });

  promise("an unknown id is not found, an unknown lane has no head", async ({ ledger }) => {
    assertEquals(await ledger.find(crypto.randomUUID(), ANYBODY), undefined);
    assertEquals(await ledger.head("nowhere"), undefined);
    assertEquals(await Array.fromAsync(ledger.lanes()), []);
  });

  promise("an export is not found for a reader who may not see it", async (test) => {
    const { id } = await accept(test, {});
    assertEquals(await test.ledger.find(id, () => false), undefined);
    assertEquals((await test.ledger.find(id, (record) => record.id === id))?.id, id);
  });

  promise("an id is accepted once", async (test) => {
    const record = await accept(test, {});
    await assertRejects(() => accept(test, { id: record.id }));
  });

  promise("lanes keep the order of acceptance, within one millisecond too", async (test) => {
    const ids = [];
    for (let n = 0; n < 5; n++) ids.push((await accept(test, {})).id);
    const together = await Promise.all(Array.from({ length: 5 }, () => accept(test, {})));
    ids.push(...together.map(({ id }) => id));
    for (const id of ids) {
      const head = await headOf(test, together[0]?.lane ?? "");
      assertEquals(head.record.id, id);
      await finish(test, head);
    }
  });

  promise("every lane with work is named once, however much stands in it", async (test) => {
    const lanes = new Set<string>();
    for (const owner of ["a", "b", "c"]) {
      for (let n = 0; n < 3; n++) lanes.add((await accept(test, { owner })).lane);
    }
    assertEquals((await Array.fromAsync(test.ledger.lanes())).sort(), [...lanes].sort());
  });

  promise("a claim takes the lease, and a second claim of the same head fails", async (test) => {
    const { lane } = await accept(test, {});
    const head = await headOf(test, lane);
    const [first, second] = await Promise.all([claim(test, head), claim(test, head)]);
    assertEquals(second, undefined);
    const after = await headOf(test, lane);
    assertEquals(after.record.state, "delivering");
    assertEquals(after.lease, defined(first).lease);
    assertEquals(await claim(test, head), undefined, "nor does a late one");
  });

  promise(
    "a head that was tried since it was read cannot be claimed as it was then",
    async (test) => {
      const { lane } = await accept(test, {});
      const stale = await headOf(test, lane);
      const claimed = defined(await claim(test, stale));
      const outcome = { kind: "failed", code: "dns_error", ms: 1 } as const;
      const facts = { now: test.clock.now(), chance: 0 };
      await test.ledger.settle(claimed, settleExport(claimed.record, outcome, POLICY, facts));
      const head = await headOf(test, lane);
      assertEquals([head.record.attempts, head.lease], [1, stale.lease]);
      assertEquals(await claim(test, stale), undefined);
      assertEquals((await headOf(test, lane)).record, head.record);
    },
  );

  promise("an export that comes to an idle lane is accepted and claimed in one", async (test) => {
    const { change, payload } = accepting(test, {});
    const claimed = defined(await acceptClaimed(test, change, payload));
    const head = await headOf(test, change.record.lane);
    assertEquals([head.record.state, head.lease], ["delivering", claimed.lease]);
    assertEquals(await Array.fromAsync(test.ledger.lanes()), [change.record.lane]);
    assertEquals(text(await test.ledger.payload(claimed)), "{}");
    assertEquals(test.rung(), [], "nobody need look at it");
    assertNotEquals(await settle(test, claimed), undefined);
    assertEquals(test.rung(), [], "nor at the lane, which is empty");
    const next = accepting(test, {});
    assertNotEquals(await acceptClaimed(test, next.change, next.payload), undefined);
  });

  promise(
    "an export that was claimed as it was accepted stays first while it is tried again",
    async (test) => {
      const [one, two] = [accepting(test, { data: "[1]" }), accepting(test, {})];
      const { id, lane } = one.change.record;
      const claimed = defined(await acceptClaimed(test, one.change, one.payload));
      await acceptClaimed(test, two.change, two.payload);
      assertEquals((await headOf(test, lane)).record.id, id);
      assertEquals((await test.ledger.behind(claimed))?.record.id, two.change.record.id);
      const outcome = { kind: "failed", code: "dns_error", ms: 1 } as const;
      const facts = { now: test.clock.now(), chance: 0 };
      await test.ledger.settle(claimed, settleExport(claimed.record, outcome, POLICY, facts));
      for (const [expected, data] of [[id, "[1]"], [two.change.record.id, "{}"]] as const) {
        assertEquals(await Array.fromAsync(test.ledger.lanes()), [lane]);
        const head = await headOf(test, lane);
        assertEquals([head.record.id, head.record.state], [expected, "pending"]);
        assertEquals(text(await test.ledger.payload(head)), data);
        test.clock.advance(5_000);
        await finish(test, head);
      }
      assertEquals(await test.ledger.head(lane), undefined);
    },
  );

  promise("an export that was claimed as it was accepted is woken like others", async (test) => {
    const { change, payload } = accepting(test, {});
    await acceptClaimed(test, change, payload);
    test.clock.advance(44_999);
    assertEquals(test.rung(), []);
    test.clock.advance(1);
    assertEquals(test.rung(), [change.record.lane]);
  });

  promise("an export that comes to a lane with others waits for its turn", async (test) => {
    const [one, two, three] = [accepting(test, {}), accepting(test, {}), accepting(test, {})];
    const first = await accept(test, { id: one.change.record.id });
    const together = await Promise.all(
      [two, three].map(({ change, payload }) => acceptClaimed(test, change, payload)),
    );
    assertEquals(together, [undefined, undefined]);
    for (const { change } of [one, two, three]) {
      const head = await headOf(test, first.lane);
      assertEquals(head.record.id, change.record.id);
      test.rung();
      await finish(test, head);
    }
    assertEquals(await test.ledger.head(first.lane), undefined);
  });

  promise("finishing keeps the answer, and removes place, lease and payload", async (test) => {
    const payload = new Uint8Array(5_000);
    const { id, lane } = await accept(test, { payload });
    const head = await headOf(test, lane);
    await finish(test, head);
    const record = finished(await test.ledger.find(id, ANYBODY));
    assertEquals(text(await test.ledger.answer(record)), "thank you");
    await assertRejects(() => test.ledger.payload(head));
    assertEquals(await test.ledger.head(lane), undefined);
    assertEquals(await Array.fromAsync(test.ledger.lanes()), []);
  });

  promise("a worker whose claim was taken over settles nothing", async (test) => {
    const { lane } = await accept(test, {});
    const slow = defined(await claim(test, await headOf(test, lane)));
    test.clock.advance(60_000);
    const head = await headOf(test, lane);
    const quick = defined(await claim(test, head, { ...CLAIMANT, instance: "two" }));
    assertEquals(await settle(test, slow), undefined);
    assertEquals((await headOf(test, lane)).lease, quick.lease);
    assertNotEquals(await settle(test, quick), undefined);
  });

  promise("a failed attempt goes back to the head of its lane", async (test) => {
    const { id, lane } = await accept(test, {});
    await accept(test, {});
    const claimed = defined(await claim(test, await headOf(test, lane)));
    test.rung();
    const outcome = { kind: "failed", code: "dns_error", ms: 1 } as const;
    const facts = { now: test.clock.now(), chance: 0 };
    await test.ledger.settle(claimed, settleExport(claimed.record, outcome, POLICY, facts));
    const head = await headOf(test, lane);
    assertEquals([head.record.id, head.record.state, head.lease], [id, "pending", undefined]);
    assertEquals(test.rung(), [], "its wake-up is for later");
    test.clock.advance(5_000);
    assertEquals(test.rung(), [lane]);
  });

  promise("a claim that is never settled is woken at the end of its lease", async (test) => {
    const { lane } = await accept(test, {});
    await claim(test, await headOf(test, lane));
    test.rung();
    test.clock.advance(44_999);
    assertEquals(test.rung(), []);
    test.clock.advance(1);
    assertEquals(test.rung(), [lane]);
  });

  promise("finishing wakes the lane for the export behind", async (test) => {
    const { lane } = await accept(test, {});
    await accept(test, {});
    const head = await headOf(test, lane);
    test.rung();
    await finish(test, head);
    assertEquals(test.rung(), [lane]);
  });

  promise(
    "the export behind is claimed in the commit that finishes the one before",
    async (test) => {
      const { lane } = await accept(test, {});
      const second = await accept(test, { data: "[2]" });
      await accept(test, {});
      const claimed = defined(await claim(test, await headOf(test, lane)));
      const held = defined(await test.ledger.behind(claimed));
      assertEquals(held.record, second);
      const facts = { ...POLICY, now: test.clock.now(), claimant: CLAIMANT, leaseMs: 45_000 };
      const follower = { held, claim: defined(claimExport(held.record, facts)) };
      test.rung();
      const next = defined(defined(await settle(test, claimed, ANSWER, follower)).claimed);
      assertEquals(test.rung(), [], "it is claimed already");
      const head = await headOf(test, lane);
      assertEquals([head.record, head.lease], [next.record, next.lease]);
      assertEquals(await settle(test, claimed), undefined, "the lane is the next one's");
      test.clock.advance(45_000);
      assertEquals(new Set(test.rung()), new Set([lane]), "at the end of its lease");
      assertNotEquals(await settle(test, next), undefined);
      assertEquals(test.rung(), [lane], "for the third one");
    },
  );

  promise("where the export behind was changed by somebody else, nothing is", async (test) => {
    const { lane } = await accept(test, {});
    await accept(test, {});
    const claimed = defined(await claim(test, await headOf(test, lane)));
    const held = defined(await test.ledger.behind(claimed));
    const facts = { ...POLICY, now: test.clock.now(), claimant: CLAIMANT, leaseMs: 45_000 };
    const follower = { held, claim: defined(claimExport(held.record, facts)) };
    assertNotEquals(await settle(test, claimed, ANSWER, follower), undefined);
    assertEquals(await settle(test, claimed, ANSWER, follower), undefined);
  });

  promise("nothing stands behind the last export of a lane", async (test) => {
    const { lane } = await accept(test, {});
    assertEquals(await test.ledger.behind(await headOf(test, lane)), undefined);
    const other = await accept(test, { owner: "other" });
    assertEquals(await test.ledger.behind(await headOf(test, other.lane)), undefined);
  });

  promise("a finished export is not found once its retention is over", async (test) => {
    const { id, lane } = await accept(test, {});
    await finish(test, await headOf(test, lane));
    test.clock.advance(59_999);
    assertNotEquals(await test.ledger.find(id, ANYBODY), undefined);
    test.clock.advance(1);
    assertEquals(await test.ledger.find(id, ANYBODY), undefined);
  });

  for (const bytes of [0, 1, 452, 453, 4_036, 4_037, 65_536, 65_537, 262_144, 262_145, 3_000_000]) {
    promise(`a payload and an answer of ${bytes} bytes come back as they were`, async (test) => {
      const content = new Uint8Array(bytes).map((_, n) => n * 31);
      const record = await accept(test, { payload: content });
      const head = await headOf(test, record.lane);
      assert(same(await test.ledger.payload(head), content));
      await finish(test, head, content);
      const kept = finished(await test.ledger.find(record.id, ANYBODY));
      assert(same(await test.ledger.answer(kept), content));
    });
  }

  promise("an Idempotency-Key opens one export, whoever comes first", async (test) => {
    const idempotency = { key: "k", fingerprint: "f", expiresAt: test.clock.now() + 1_000 };
    const opening = () => opened(test, idempotency);
    const answers = await Promise.all([opening(), opening(), opening()]);
    const ids = new Set(
      answers.map(({ acceptance, id }) => acceptance.kind === "replayed" ? acceptance.id : id),
    );
    assertEquals(ids.size, 1);
    assertEquals(answers.filter(({ acceptance }) => acceptance.kind === "accepted").length, 1);
    const other = await opened(test, { ...idempotency, fingerprint: "g" });
    assertEquals(other.acceptance.kind, "conflict");
    test.clock.advance(1_000);
    assertEquals((await opening()).acceptance.kind, "accepted", "forgotten after its time");
  });

  promise(
    "a watch shows the present record and every later state, and can be ended",
    async (test) => {
      const { id, lane } = await accept(test, {});
      const told = new RecordsTold();
      const stop = test.ledger.watch(id, told);
      assertEquals((await told.next()).state, "pending");
      const claimed = defined(await claim(test, await headOf(test, lane)));
      assertEquals((await told.next()).state, "delivering");
      await settle(test, claimed);
      assertEquals((await told.next()).state, "finished");
      stop();
    },
  );

  promise("a watch that was ended tells nothing more, not even its end", async (test) => {
    const { id, lane } = await accept(test, {});
    const known = new RecordsTold();
    const stopKnown = test.ledger.watch(id, known);
    const unknown = new RecordsTold();
    const later = crypto.randomUUID();
    const stopUnknown = test.ledger.watch(later, unknown);
    await known.next();
    stopKnown();
    stopUnknown();
    await claim(test, await headOf(test, lane));
    await accept(test, { id: later });
    const witness = new RecordsTold();
    const stop = test.ledger.watch(later, witness);
    assertEquals((await witness.next()).state, "pending");
    stop();
    for (const told of [known, unknown]) assertEquals([told.states(), told.ends], [[], 0]);
  });

  promise("a watch of an unknown id tells of it once it is there", async (test) => {
    const id = crypto.randomUUID();
    const told = new RecordsTold();
    const stop = test.ledger.watch(id, told);
    await accept(test, { id });
    assertEquals((await told.next()).state, "pending");
    stop();
  });

  promise("a store that takes writes says so", async ({ ledger }) => {
    await ledger.probe();
  });
}

interface Facts {
  readonly id?: string;
  readonly owner?: string;
  readonly data?: string;
  readonly payload?: Uint8Array;
}

function accepting(test: LedgerUnderTest, facts: Facts) {
  const { id = crypto.randomUUID(), owner = "owner", data = "{}" } = facts;
  const payload = facts.payload ?? new TextEncoder().encode(data);
  const request = { owner, uri: "https://destination.example/", payload };
  const change = acceptExport(request, { id, now: test.clock.now(), giveUpAfterMs: 60_000 });
  return { change, payload };
}

async function accept(test: LedgerUnderTest, facts: Facts) {
  const { change, payload } = accepting(test, facts);
  assertEquals((await test.ledger.accept(change, payload)).kind, "accepted");
  return change.record;
}

/** Accepts and claims, or accepts only. */
async function acceptClaimed(
  { ledger, clock }: LedgerUnderTest,
  change: Change<Pending>,
  payload: Uint8Array,
): Promise<Held<Delivering> | undefined> {
  const facts = { ...POLICY, now: clock.now(), claimant: CLAIMANT, leaseMs: 45_000 };
  const claim = defined(claimExport(change.record, facts));
  const acceptance = await ledger.accept(change, payload, { claim });
  assertEquals(acceptance.kind, "accepted");
  return acceptance.kind === "accepted" ? acceptance.claimed : undefined;
}

async function opened(
  test: LedgerUnderTest,
  idempotency: { key: string; fingerprint: string; expiresAt: number },
) {
  const { change, payload } = accepting(test, {});
  const { id } = change.record;
  const expiresAt = test.clock.now() + 1_000;
  return {
    id,
    acceptance: await test.ledger.accept(change, payload, {
      idempotency: { ...idempotency, expiresAt },
    }),
  };
}

async function headOf({ ledger }: LedgerUnderTest, lane: string): Promise<Held> {
  return defined(await ledger.head(lane));
}

async function claim({ ledger, clock }: LedgerUnderTest, head: Held, claimant = CLAIMANT) {
  const facts = { ...POLICY, now: clock.now(), claimant, leaseMs: 45_000 };
  const turn = turnOf(head.record, head.lease, facts);
  return turn.kind === "claim" ? await ledger.claim(head, turn.change) : undefined;
}

async function settle(
  { ledger, clock }: LedgerUnderTest,
  claimed: Held<Delivering>,
  answer: Uint8Array = ANSWER,
  follower: Follower | undefined = undefined,
): Promise<Settled | undefined> {
  const outcome = {
    kind: "answered",
    status: 200,
    truncated: false,
    answerBytes: answer.byteLength,
    address: "192.0.2.1",
    ms: 1,
  } as const;
  const facts = { now: clock.now(), chance: 0 };
  const settlement = settleExport(claimed.record, outcome, POLICY, facts);
  return await ledger.settle(claimed, settlement, { answer, follower });
}

async function finish(test: LedgerUnderTest, head: Held, answer?: Uint8Array): Promise<void> {
  const claimed = defined(await claim(test, head));
  assertNotEquals(await settle(test, claimed, answer), undefined);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, n) => byte === b[n]);
}
