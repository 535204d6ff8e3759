/** The life of an export: every arrow of it, and the arrows that there are not. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { claimExport, type Turn, turnOf } from "../../src/exports/claim.ts";
import {
  acceptExport,
  AT_ONCE,
  keptFrom,
  laneOf,
  settleExport,
  type SettlePolicy,
  wakeUpAt,
} from "../../src/exports/export.ts";
import type { Delivering, Finished, Lease, Outcome, Pending } from "../../src/exports/record.ts";
import { type AttemptFailure, FAILURES } from "../../src/exports/failure.ts";
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";

const NOW = Date.UTC(2030, 0, 1);
const DAY = 86_400_000;
const LEASE_MS = 45_000;
const ID = "7b0ea5b6-4ad3-4b6a-9f0e-0a1f6a2f1d11";
const OWNER = "owner-of-the-export";
const URI = "https://user:pass@export.amar.io:8443/hook?key=1#part";
const PAYLOAD = new TextEncoder().encode(`{"a":1}`);
const SHA256 = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
const CLAIMANT = { instance: "box", boot: "second" };
const POLICY: SettlePolicy = {
  backoff: { delaysMs: [5_000, 30_000, 120_000], jitter: 0.2 },
  retryStatuses: [503],
  retryAfterMaxMs: 60_000,
  retentionMs: 2 * DAY,
};
const ANSWER = {
  kind: "answered",
  status: 200,
  truncated: false,
  answerBytes: 2,
  address: "93.184.215.14",
  ms: 120,
} as const satisfies Outcome;

function accepted(giveUpAfterMs = DAY): Pending {
  const request = { owner: OWNER, uri: URI, payload: PAYLOAD };
  return acceptExport(request, { id: ID, now: NOW, giveUpAfterMs }).record;
}

function delivering(attempts = 1, giveUpAfterMs = DAY): Delivering {
  const { dueAt: _, ...facts } = accepted(giveUpAfterMs);
  return { ...facts, attempts, state: "delivering" };
}

function finished(): Finished {
  const { record } = settle(delivering(), ANSWER, NOW);
  if (record.state !== "finished") throw new Error(`Cannot take as finished: ${record.state}`);
  return record;
}

function lease(until: number, claimant = CLAIMANT): Lease {
  return { id: ID, claimant, since: until - LEASE_MS, until };
}

function turn(record: Parameters<typeof turnOf>[0], held: Lease | undefined, now: number) {
  return turnOf(record, held, { ...POLICY, now, claimant: CLAIMANT, leaseMs: LEASE_MS });
}

function claim(record: Parameters<typeof turnOf>[0], held: Lease | undefined, now: number) {
  const told = turn(record, held, now);
  return told.kind === "claim" ? told.change : undefined;
}

/** The claim of what must be claimable. */
function claimed(record: Parameters<typeof turnOf>[0], held: Lease | undefined, now: number) {
  const change = claim(record, held, now);
  if (change === undefined) throw new Error(`Cannot claim an export that is ${record.state}`);
  return change;
}

function settle(record: Delivering, outcome: Outcome, now: number, chance = 0.5) {
  return settleExport(record, outcome, POLICY, { now, chance });
}

function failure(code: AttemptFailure): Outcome {
  return { kind: "failed", code, ms: 30_000 };
}

// Accepted.

Deno.test("an accepted export is pending, due at once, and in the ledger", () => {
  const request = { owner: OWNER, uri: URI, payload: PAYLOAD };
  assertEquals(acceptExport(request, { id: ID, now: NOW, giveUpAfterMs: DAY }), {
    record: {
      id: ID,
      owner: OWNER,
      uri: URI,
      lane: laneOf(OWNER, URI),
      payload: { bytes: 7, sha256: SHA256 },
      acceptedAt: NOW,
      giveUpAt: NOW + DAY,
      attempts: 0,
      state: "pending",
      dueAt: NOW,
    },
    entries: [{
      kind: "export.accepted",
      at: NOW,
      id: ID,
      owner: OWNER,
      bytes: 7,
      sha256: SHA256,
      host: "export.amar.io:8443",
      path: "/hook",
    }],
  });
});

Deno.test("there is one lane for each owner and destination, named in 22 plain characters", () => {
  assertMatch(laneOf(OWNER, URI), /^[\w-]{22}$/);
  assertEquals(laneOf(OWNER, URI), laneOf(OWNER, URI));
  assertNotEquals(laneOf(OWNER, URI), laneOf("somebody else", URI));
  assertNotEquals(laneOf(OWNER, URI), laneOf(OWNER, `${URI}/`));
  assertNotEquals(laneOf("ab", "c"), laneOf("a", "bc"));
});

// Claimed.

Deno.test("a due export is claimed: its attempt is counted, leased and entered", () => {
  assertEquals(claim(accepted(), undefined, NOW), {
    record: delivering(1),
    lease: { id: ID, claimant: CLAIMANT, since: NOW, until: NOW + LEASE_MS },
    entries: [{
      kind: "attempt.started",
      at: NOW,
      id: ID,
      attempt: 1,
      bytes: 7,
      sha256: SHA256,
      host: "export.amar.io:8443",
      path: "/hook",
    }],
  });
});

Deno.test("an export is claimed from the moment it is due, and not before", () => {
  const record = { ...accepted(), attempts: 3, dueAt: NOW + 5_000 };
  assertEquals(claim(record, undefined, NOW + 4_999), undefined);
  const change = claim(record, undefined, NOW + 5_000);
  assertEquals(change?.record, delivering(4));
  assertEquals(change?.lease, {
    id: ID,
    claimant: CLAIMANT,
    since: NOW + 5_000,
    until: NOW + 50_000,
  });
});

Deno.test("a moment that no delay reaches was planned before the clock was put back, and is over", () => {
  const longest = { ...accepted(), attempts: 3, dueAt: NOW + 144_000 };
  assertEquals(claim(longest, undefined, NOW), undefined);
  assertEquals(claim({ ...longest, dueAt: NOW + 144_001 }, undefined, NOW)?.record.attempts, 4);
});

Deno.test("what was never tried is due, however far the clock was put back", () => {
  for (const backMs of [1, 60_000, DAY]) {
    assertEquals(claim(accepted(), undefined, NOW - backMs)?.record, delivering(1));
  }
});

Deno.test("a finished export is never claimed again", () => {
  assertEquals(claim(finished(), undefined, NOW + 10 * DAY), undefined);
});

const holders: readonly (readonly [string, Lease | undefined, claimed: boolean])[] = [
  ["nobody", undefined, true],
  ["this very run, still", lease(NOW + 1), false],
  ["this very run, until just now", lease(NOW), true],
  ["this very run, as long as can be", lease(NOW + LEASE_MS), false],
  ["this very run, by a clock since put back", lease(NOW + LEASE_MS + 1), true],
  ["another instance, whose clock is ahead", {
    ...lease(NOW + LEASE_MS + 1),
    claimant: { instance: "other", boot: "first" },
  }, false],
  ["an earlier run of this instance, still", lease(NOW + 1, { ...CLAIMANT, boot: "first" }), true],
  ["another instance, still", lease(NOW + 1, { instance: "other", boot: "first" }), false],
  ["a run of the same name of another instance", {
    ...lease(NOW + 1),
    claimant: { ...CLAIMANT, instance: "other" },
  }, false],
  ["another instance, until just now", lease(NOW, { instance: "other", boot: "first" }), true],
];

for (const [holder, held, claimed] of holders) {
  Deno.test(`an export whose lane is leased to ${holder} is ${claimed ? "" : "not "}claimed`, () => {
    for (const record of [accepted(), delivering(1)]) {
      assertEquals(claim(record, held, NOW)?.record.state, claimed ? "delivering" : undefined);
    }
  });
}

Deno.test("an attempt whose lease ended without an outcome is entered as lapsed", () => {
  const change = claim(delivering(2), lease(NOW), NOW);
  assertEquals(change?.record, delivering(3));
  assertEquals(change?.lease, {
    id: ID,
    claimant: CLAIMANT,
    since: NOW,
    until: NOW + LEASE_MS,
    lapses: 1,
  });
  assertEquals(change?.entries[0], { kind: "attempt.lapsed", at: NOW, id: ID, attempt: 2 });
  assertEquals(change?.entries.slice(1).map(({ kind }) => kind), ["attempt.started"]);
});

/** The lease of an attempt that a process died in, begun at `since` after that many others. */
function lapsed(lapses: number, since: number): Lease {
  const earlier = { ...CLAIMANT, boot: "first" };
  return { ...lease(since + LEASE_MS, earlier), ...(lapses > 0 && { lapses }) };
}

const rests: readonly (readonly [lapses: number, restMs: number])[] = [
  [0, 0],
  [2, 0],
  [3, 5_000],
  [4, 30_000],
  [5, 120_000],
  [9, 120_000],
];

for (const [lapses, restMs] of rests) {
  Deno.test(`after ${lapses + 1} lapses in a row an export is tried again ${restMs} ms after it was`, () => {
    const held = lapsed(lapses, NOW);
    const judged = turn(delivering(), held, NOW);
    const until = judged.kind === "wait" ? judged.until : NOW;
    assert(Math.abs(until - NOW - restMs) <= 0.2 * restMs, `${until - NOW}`);
    if (restMs > 0) assertEquals(turn(delivering(), held, until - 1), judged);
    assertEquals(claimed(delivering(), held, until).lease?.lapses, lapses + 1);
  });
}

Deno.test("an attempt that comes to its end is the last in a row of lapses", () => {
  const third = claimed(delivering(2), lapsed(1, NOW), NOW + DAY);
  const retry = settle(third.record, failure("timed_out"), NOW + 1);
  const fourth = claimed(retry.record, undefined, NOW + DAY);
  assertEquals(fourth.lease?.lapses, undefined);
});

Deno.test("exports that lapsed together rest for different times, each always for the same", () => {
  const until = (id: string, attempts: number) => {
    const judged = turn({ ...delivering(attempts), id }, lapsed(5, NOW), NOW);
    return judged.kind === "wait" ? judged.until : 0;
  };
  const ids = Array.from({ length: 10 }, (_, n) => `export ${n}`);
  const rests = ids.flatMap((id) => [until(id, 1), until(id, 2)]);
  assertEquals(new Set(rests).size, 20);
  assertEquals(rests, ids.flatMap((id) => [until(id, 1), until(id, 2)]));
});

Deno.test("a rest is over where the clock was put back by more than the longest, and only there", () => {
  assertEquals(turn(delivering(), lapsed(4, NOW), NOW - 1_000).kind, "wait");
  assertEquals(claim(delivering(), lapsed(4, NOW), NOW - DAY)?.lease?.lapses, 5);
});

Deno.test("whoever stands behind one that was given up begins with its lapses", () => {
  const facts = { ...POLICY, now: NOW, claimant: CLAIMANT, leaseMs: LEASE_MS, lapsesBefore: 7 };
  assertEquals(claimExport(accepted(), facts)?.lease?.lapses, 7);
  const second = turnOf(delivering(), lapsed(1, NOW), facts);
  assertEquals(second.kind === "claim" && second.change.lease?.lapses, 2);
});

Deno.test("what was cut off five times in a row ends at the give-up age, and is entered so", () => {
  const { dueAt: _, ...facts } = accepted();
  assertEquals(turn(delivering(5), lapsed(4, NOW), NOW + DAY), {
    kind: "give_up",
    lapses: 5,
    change: {
      record: {
        ...facts,
        attempts: 5,
        state: "finished",
        finishedAt: NOW + DAY,
        expiresAt: NOW + 3 * DAY,
        result: { kind: "failed", code: "interrupted" },
      },
      entries: [{ kind: "attempt.lapsed", at: NOW + DAY, id: ID, attempt: 5, next: "finished" }],
    },
  });
});

const goingOn: readonly (readonly [
  string,
  Delivering | Pending | Finished,
  Lease | undefined,
  now: number,
  kind: Turn["kind"],
])[] = [
  ["before its give-up age", delivering(9), lapsed(9, NOW), NOW + DAY - 1, "claim"],
  ["after fewer lapses", delivering(9), lapsed(3, NOW), NOW + DAY, "claim"],
  ["of others, before as many of its own", delivering(4), lapsed(9, NOW), NOW + DAY, "claim"],
  ["while it rests", delivering(9), lapsed(9, NOW + DAY - 1), NOW + DAY, "wait"],
  [
    "while somebody has it",
    delivering(9),
    { ...lease(NOW + DAY + 1), lapses: 9 },
    NOW + DAY,
    "wait",
  ],
  ["while it waits", accepted(), lapsed(9, NOW), NOW + DAY, "claim"],
  ["once it has an end", finished(), lapsed(9, NOW), NOW + DAY, "over"],
  ["without a lease that tells", delivering(9), undefined, NOW + DAY, "claim"],
];

for (const [when, record, held, now, kind] of goingOn) {
  Deno.test(`no export is given up for its lapses ${when}`, () => {
    assertEquals(turn(record, held, now).kind, kind);
  });
}

// Settled.

for (const status of [100, 200, 204, 302, 404, 429, 500, 502]) {
  Deno.test(`an answer ${status} finishes the export, kept for its owner for the retention time`, () => {
    const later = NOW + 1_000;
    const change = settle(delivering(2), { ...ANSWER, status }, later);
    const { dueAt: _, ...facts } = accepted();
    assertEquals(change, {
      record: {
        ...facts,
        attempts: 2,
        state: "finished",
        finishedAt: later,
        expiresAt: later + 2 * DAY,
        result: { kind: "answered", status, truncated: false, answerBytes: 2 },
      },
      entries: [{
        kind: "attempt.ended",
        at: later,
        id: ID,
        attempt: 2,
        ms: 120,
        address: "93.184.215.14",
        outcome: "answered",
        status,
        answerBytes: 2,
        next: "finished",
      }],
    });
  });
}

const finalCodes: readonly AttemptFailure[] = ["certificate_invalid", "destination_refused"];
const passingCodes: readonly AttemptFailure[] = [
  "dns_error",
  "connection_refused",
  "connection_lost",
  "unreachable",
  "timed_out",
  "tls_error",
  "invalid_answer",
  "data_damaged",
];

Deno.test("every failure is known to be final or to pass", () => {
  const all = [...finalCodes, ...passingCodes, "interrupted"];
  assertEquals(all.sort(), Object.keys(FAILURES).sort());
});

for (const code of finalCodes) {
  Deno.test(`${code} finishes the export at once`, () => {
    const { record, entries } = settle(delivering(1), failure(code), NOW);
    assertEquals(record.state === "finished" && record.result, { kind: "failed", code });
    assertEquals(entries, [{
      kind: "attempt.ended",
      at: NOW,
      id: ID,
      attempt: 1,
      ms: 30_000,
      outcome: code,
      next: "finished",
    }]);
  });
}

for (const code of passingCodes) {
  Deno.test(`after ${code} the export waits for its next attempt`, () => {
    const { record, lease, entries } = settle(delivering(1), failure(code), NOW);
    assertEquals(record, { ...accepted(), attempts: 1, dueAt: NOW + 5_000 });
    assertEquals(lease, undefined);
    assertEquals(entries, [{
      kind: "attempt.ended",
      at: NOW,
      id: ID,
      attempt: 1,
      ms: 30_000,
      outcome: code,
      next: "retry",
      dueAt: NOW + 5_000,
    }]);
  });
}

Deno.test("the delay grows with the attempts and varies with chance", () => {
  const dueAfter = (attempts: number, chance: number) => {
    const { record } = settle(delivering(attempts), failure("timed_out"), NOW, chance);
    return record.state === "pending" ? record.dueAt - NOW : undefined;
  };
  assertEquals([1, 2, 3, 4].map((n) => dueAfter(n, 0.5)), [5_000, 30_000, 120_000, 120_000]);
  assertEquals([dueAfter(1, 0), dueAfter(1, 0.75)], [4_000, 5_500]);
});

Deno.test("the rule and the address of a failure are entered; the app is told the rule alone", () => {
  const outcome: Outcome = {
    kind: "failed",
    code: "destination_refused",
    rule: "address",
    address: "10.0.0.1",
    ms: 3,
  };
  const { record, entries: [entry] } = settle(delivering(1), outcome, NOW);
  assertEquals(record.state === "finished" && record.result, {
    kind: "failed",
    code: "destination_refused",
    rule: "address",
  });
  assertEquals(entry, {
    kind: "attempt.ended",
    at: NOW,
    id: ID,
    attempt: 1,
    ms: 3,
    address: "10.0.0.1",
    outcome: "destination_refused",
    rule: "address",
    next: "finished",
  });
});

Deno.test("what was sent twice in one attempt is entered so", () => {
  const outcome: Outcome = { kind: "failed", code: "timed_out", firstSentTo: "192.0.2.1", ms: 3 };
  const [entry] = settle(delivering(1), outcome, NOW).entries;
  assertEquals(entry?.kind === "attempt.ended" && entry.firstSentTo, "192.0.2.1");
});

Deno.test("an attempt in which nothing was sent is entered so", () => {
  const outcome: Outcome = { kind: "failed", code: "timed_out", unsent: true, ms: 3 };
  for (const known of [outcome, failure("timed_out")]) {
    const [entry] = settle(delivering(1), known, NOW).entries;
    assertEquals(entry?.kind === "attempt.ended" && entry.unsent, known === outcome || undefined);
  }
});

Deno.test("an answer that was cut is known to be cut", () => {
  const { record } = settle(delivering(), { ...ANSWER, truncated: true, answerBytes: 9 }, NOW);
  assertEquals(record.state === "finished" && record.result, {
    kind: "answered",
    status: 200,
    truncated: true,
    answerBytes: 9,
  });
});

Deno.test("one last attempt is made exactly at the give-up age, and none after it", () => {
  const record = delivering(3);
  const giveUpAt = NOW + DAY;
  const dueAfter = (now: number) => {
    const change = settle(record, failure("timed_out"), now);
    return change.record.state === "pending" ? change.record.dueAt : change.record.state;
  };
  assertEquals(dueAfter(giveUpAt - 120_001), giveUpAt - 1);
  assertEquals(dueAfter(giveUpAt - 119_999), giveUpAt);
  assertEquals(dueAfter(giveUpAt - 1), giveUpAt);
  assertEquals(dueAfter(giveUpAt), "finished");
  assertEquals(dueAfter(giveUpAt + DAY), "finished");
});

Deno.test("an attempt that began late is made all the same, and its answer counts", () => {
  const late = NOW + 2 * DAY;
  assertEquals(claim(accepted(), undefined, late)?.record.state, "delivering");
  const { record } = settle(delivering(), ANSWER, late);
  assertEquals(record.state === "finished" && record.result.kind, "answered");
});

Deno.test("with a give-up age of nothing there is one attempt", () => {
  const { record } = settle(delivering(1, 0), failure("connection_refused"), NOW);
  assertEquals(record.state, "finished");
});

const written: readonly (readonly [when: string, now: number, finishedAt: number])[] = [
  ["at once", NOW, NOW],
  ["a day later", NOW + DAY, NOW + DAY],
  ["by a clock put back meanwhile", NOW - DAY, NOW],
];

for (const [when, now, finishedAt] of written) {
  Deno.test(`an end that is written ${when} is kept for the retention time, nothing else is changed`, () => {
    const facts = { now, retentionMs: POLICY.retentionMs };
    const end = settle(delivering(1), ANSWER, NOW);
    assertEquals(keptFrom(end, facts), {
      ...end,
      record: { ...end.record, finishedAt, expiresAt: finishedAt + POLICY.retentionMs },
    });
    const retry = settle(delivering(1), failure("timed_out"), NOW);
    assertEquals(keptFrom(retry, facts), retry);
  });
}

// Told to come again.

function busy(retryAfterMs?: number): Outcome {
  return { ...ANSWER, status: 503, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

function dueAfter(outcome: Outcome, record = delivering(1)): number | undefined {
  const settled = settle(record, outcome, NOW).record;
  return settled.state === "pending" ? settled.dueAt - NOW : undefined;
}

Deno.test("an answer whose status is one to try again is tried again with backoff, and entered", () => {
  assertEquals(dueAfter(busy()), 5_000);
  assertEquals(dueAfter(busy(), delivering(2)), 30_000);
  const [entry] = settle(delivering(1), busy(), NOW).entries;
  assertEquals(entry, {
    kind: "attempt.ended",
    at: NOW,
    id: ID,
    attempt: 1,
    ms: ANSWER.ms,
    address: "93.184.215.14",
    outcome: "answered",
    status: 503,
    answerBytes: 2,
    next: "retry",
    dueAt: NOW + 5_000,
  });
});

for (const [asked, granted] of [[0, 30_000], [7_000, 30_000], [60_000, 60_000], [DAY, 60_000]]) {
  Deno.test(`a destination that asks for ${asked} ms of rest gets ${granted} ms where 30 s are usual`, () => {
    assertEquals(dueAfter(busy(asked), delivering(2)), granted);
  });
}

Deno.test("at the give-up age the last answer is the outcome, whatever its status", () => {
  const { record } = settle(delivering(3), busy(7_000), NOW + DAY);
  assertEquals(record.state === "finished" && record.result, {
    kind: "answered",
    status: 503,
    truncated: false,
    answerBytes: 2,
  });
});

// Woken.

Deno.test("an accepted export is looked at at once", () => {
  assertEquals(wakeUpAt({ record: accepted() }), AT_ONCE);
});

Deno.test("an export that waits for an attempt is looked at when it is due", () => {
  assertEquals(wakeUpAt(settle(delivering(1), failure("timed_out"), NOW)), NOW + 5_000);
});

Deno.test("a claimed export is looked at when its lease ends", () => {
  assertEquals(wakeUpAt(claimed(accepted(), undefined, NOW)), NOW + LEASE_MS);
});

Deno.test("an export in nobody's hands is overdue", () => {
  assertEquals(wakeUpAt({ record: delivering(1) }), AT_ONCE);
});

Deno.test("when an export is finished, the one behind it is looked at at once", () => {
  const change = settle(delivering(1), ANSWER, NOW + 7);
  assertEquals(wakeUpAt(change), AT_ONCE);
});

// Whole lives.

/** A step of a life: what the attempt brings, how long it takes, and chance. */
const step = fc.record({
  outcome: fc.oneof(
    fc.constantFrom(...passingCodes, ...finalCodes).map(failure),
    fc.integer({ min: 100, max: 599 }).map((status): Outcome => ({ ...ANSWER, status })),
    fc.constant(undefined), // The process dies: no outcome.
  ),
  ms: fc.nat(LEASE_MS),
  chance: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});

Deno.test("in every life attempts only grow, each is entered, and nothing follows the end", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let record: Pending | Delivering | Finished = accepted();
      let held: Lease | undefined;
      let now = NOW;
      const entries: LedgerEntry[] = [];
      let attempts = 0;
      for (const { outcome, ms, chance } of steps) {
        if (record.state === "finished") {
          assertEquals(claim(record, held, now), undefined);
          continue;
        }
        const judged = turn(record, held, now);
        if (judged.kind === "wait") now = judged.until;
        const started = claimed(record, held, now);
        attempts++;
        assertEquals(started.record.attempts, attempts);
        entries.push(...started.entries);
        record = started.record;
        held = started.lease;
        if (outcome === undefined) {
          now = wakeUpAt(started);
          continue;
        }
        now += ms;
        const ended = settle(started.record, outcome, now, chance);
        assertEquals([ended.record.attempts, ended.lease], [attempts, undefined]);
        const next = wakeUpAt(ended);
        assert(next === AT_ONCE || next >= now);
        entries.push(...ended.entries);
        record = ended.record;
        held = ended.lease;
        now = Math.max(now, next);
      }
      const started = entries.filter(({ kind }) => kind === "attempt.started");
      const ended = entries.filter(({ kind }) =>
        kind === "attempt.ended" || kind === "attempt.lapsed"
      );
      assertEquals(started.length, attempts);
      assertEquals(ended.length, record.state === "delivering" ? attempts - 1 : attempts);
    }),
    { numRuns: 300 },
  );
});

Deno.test("an export that never gets an answer ends, with its last attempt at the give-up age", () => {
  const chances = fc.infiniteStream(
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  );
  fc.assert(
    fc.property(chances, fc.integer({ min: 1, max: DAY }), (chances, giveUpAfterMs) => {
      let record: Pending | Finished = accepted(giveUpAfterMs);
      let last = NOW;
      while (record.state === "pending") {
        assert(record.dueAt >= last && record.dueAt <= NOW + giveUpAfterMs);
        assert(record.attempts <= giveUpAfterMs / 4_000 + 1);
        last = record.dueAt;
        const chance: number = chances.next().value;
        const attempt: Delivering = claimed(record, undefined, last).record;
        record = settle(attempt, failure("unreachable"), last, chance).record;
      }
      assertEquals(last, NOW + giveUpAfterMs);
      assertEquals(record.result, { kind: "failed", code: "unreachable" });
    }),
    { numRuns: 50 },
  );
});

Deno.test("no entry of any life holds a payload, a query string, a fragment or credentials", () => {
  const secret = fc.stringMatching(/^[A-Z]{8}$/);
  const secrets = fc.record({
    user: secret,
    pass: secret,
    query: secret,
    part: secret,
    data: secret,
  });
  const path = fc.constantFrom("", "/", "/a/b", "/%20;x=1:y");
  const outcome = fc.constantFrom<Outcome>(ANSWER, failure("timed_out"), failure("tls_error"));
  fc.assert(
    fc.property(secrets, path, outcome, (secrets, path, outcome) => {
      const { user, pass, query, part, data } = secrets;
      const uri = `https://${user}:${pass}@export.amar.io${path}?${query}=${query}#${part}`;
      const payload = new TextEncoder().encode(JSON.stringify({ data }));
      const opened = acceptExport({ owner: OWNER, uri, payload }, {
        id: ID,
        now: NOW,
        giveUpAfterMs: DAY,
      });
      const first = claimed(opened.record, undefined, NOW);
      const second = claimed(first.record, undefined, NOW);
      const settled = settle(second.record, outcome, NOW);
      const entries = JSON.stringify([opened, first, second, settled].map((c) => c.entries));
      assert(entries.includes("export.amar.io"));
      for (const word of Object.values(secrets)) {
        assert(!entries.includes(word), entries);
      }
    }),
    { numRuns: 300 },
  );
});
