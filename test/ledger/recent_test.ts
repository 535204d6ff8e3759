/** What is known without reading: never older than what was committed, never told twice. */
import { assert, assertEquals } from "@std/assert";
import { claimExport } from "../../src/exports/claim.ts";
import { acceptExport, settleExport } from "../../src/exports/export.ts";
import { Recent } from "../../src/ledger/recent.ts";
import { defined, finished } from "../fakes/expect.ts";
import { RecordsTold } from "../fakes/records_told.ts";

const NOW = Date.UTC(2030, 0, 1);
const POLICY = {
  backoff: { delaysMs: [5_000], jitter: 0 },
  retryStatuses: [],
  retryAfterMaxMs: 60_000,
  retentionMs: 60_000,
};

/** The states of one export, one after the other. */
function lifeOf(id: string) {
  const request = { owner: "a", uri: "https://a.example/", payload: new Uint8Array(2) };
  const pending = acceptExport(request, { id, now: NOW, giveUpAfterMs: 1_000 }).record;
  const claimant = { instance: "one", boot: "first" };
  const facts = { ...POLICY, now: NOW, claimant, leaseMs: 1_000 };
  const delivering = defined(claimExport(pending, facts)).record;
  const outcome = {
    kind: "answered",
    status: 200,
    truncated: false,
    answerBytes: 2,
    address: "192.0.2.1",
    ms: 1,
  } as const;
  const end = settleExport(delivering, outcome, POLICY, { now: NOW, chance: 0 }).record;
  return { pending, delivering, finished: finished(end) };
}

Deno.test("the latest record is known, with its answer if that is small", () => {
  const recent = new Recent();
  const life = lifeOf("a");
  recent.note(life.pending);
  assertEquals(recent.record("a"), life.pending);
  recent.note(life.finished, new Uint8Array(2));
  assertEquals(recent.record("a"), life.finished);
  assertEquals(recent.answer(life.finished), new Uint8Array(2));
  assertEquals(recent.answer({ ...life.finished, attempts: 2 }), undefined, "of another attempt");
  recent.note(life.finished, new Uint8Array(100_000));
  assertEquals(recent.answer(life.finished), undefined, "it is read from the store");
  recent.lose("a");
  assertEquals([recent.record("a"), recent.answer(life.finished)], [undefined, undefined]);
});

Deno.test("the export noted longest ago is forgotten first", () => {
  const recent = new Recent(2);
  for (const id of ["a", "b", "a", "c"]) recent.note(lifeOf(id).pending);
  assertEquals(["a", "b", "c"].map((id) => recent.record(id)?.id), ["a", undefined, "c"]);
});

Deno.test("whoever watches is told what is and what comes, until they have enough", () => {
  const recent = new Recent();
  const life = lifeOf("a");
  recent.note(life.pending);
  const [one, other] = [new RecordsTold(), new RecordsTold()];
  const stop = recent.watch("a", life.pending, one);
  recent.watch("a", life.pending, other);
  recent.note(life.delivering);
  stop();
  stop();
  recent.note(life.finished);
  assertEquals(one.states(), ["pending", "delivering"]);
  assertEquals(other.states(), ["pending", "delivering", "finished"]);
  assertEquals([one.ends, other.ends], [0, 0]);
});

Deno.test("whoever leaves as they are told leaves the others told", () => {
  const recent = new Recent();
  const life = lifeOf("a");
  recent.note(life.pending);
  const told = new RecordsTold();
  let stop = () => {};
  stop = recent.watch("a", life.pending, { tell: () => stop(), end: () => {} });
  recent.watch("a", life.pending, told);
  recent.note(life.delivering);
  assertEquals(told.states(), ["pending", "delivering"]);
});

Deno.test("whoever watches what is lost is sent away, and told nothing more", () => {
  const recent = new Recent();
  const life = lifeOf("a");
  recent.note(life.pending);
  const [told, later] = [new RecordsTold(), new RecordsTold()];
  const stop = recent.watch("a", life.pending, told);
  recent.lose("a");
  recent.note(life.delivering);
  recent.watch("a", life.delivering, later);
  stop();
  recent.note(life.finished);
  assertEquals([told.states(), told.ends], [["pending"], 1]);
  assertEquals([later.states(), later.ends], [["delivering", "finished"], 0]);
});

Deno.test("what is watched in the store is not known here until that ends", () => {
  const recent = new Recent();
  const life = lifeOf("a");
  let stopped = 0;
  const [one, other] = [1, 2].map(() => recent.watchedElsewhere("a", () => stopped++));
  recent.note(life.delivering);
  assertEquals(recent.record("a"), undefined);
  one?.();
  one?.();
  recent.note(life.delivering);
  assertEquals(recent.record("a"), undefined, "the other one still watches");
  other?.();
  recent.note(life.finished);
  assert(recent.record("a") !== undefined);
  assertEquals(stopped, 3);
});

Deno.test("an export that nobody listens to any more is forgotten", () => {
  const recent = new Recent();
  const { pending } = lifeOf("a");
  for (let n = 0; n < 100; n++) recent.watch(`${n}`, pending, new RecordsTold())();
  assertEquals(recent.watched, 0);
});
