/** What is known without reading: never older than what was committed, never told twice. */
import { assert, assertEquals } from "@std/assert";
import { acceptExport, claimExport, settleExport } from "../../src/exports/export.ts";
import type { ExportRecord } from "../../src/exports/record.ts";
import type { RecordReader } from "../../src/ledger/ledger.ts";
import { Recent } from "../../src/ledger/recent.ts";
import { defined, finished } from "../fakes/expect.ts";

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
  const delivering = defined(claimExport(pending, undefined, facts)).record;
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

/** Reads for as long as there is something to read at once. */
async function readable(reader: RecordReader): Promise<(string | undefined)[]> {
  const states: (string | undefined)[] = [];
  for (;;) {
    const nothing = { done: false, value: undefined } as const;
    const later = Promise.resolve().then(() => {}).then(() => nothing);
    const { done, value } = await Promise.race([reader.read(), later]);
    if (done) return [...states, "end"];
    if (value === undefined) return states;
    states.push(value.state);
  }
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

Deno.test("whoever watches is told what is and what comes, and of several only the last", async () => {
  const recent = new Recent();
  const life = lifeOf("a");
  recent.note(life.pending);
  const one = recent.watch("a", life.pending);
  const other = recent.watch("a", life.pending);
  assertEquals((await one.read()).value?.state, "pending");
  const reading = one.read();
  recent.note(life.delivering);
  assertEquals((await reading).value?.state, "delivering");
  recent.note(life.finished);
  assertEquals((await one.read()).value?.state, "finished");
  assertEquals(await readable(other), ["finished"]);
  await one.cancel();
  recent.note(life.finished);
  assertEquals(await readable(one), ["end"]);
  await other.cancel();
});

Deno.test("whoever watches what is lost is sent away, and told nothing more", async () => {
  const recent = new Recent();
  const life = lifeOf("a");
  recent.note(life.pending);
  const reader = recent.watch("a", life.pending);
  assertEquals(await readable(reader), ["pending"]);
  const late = recent.watch("a", life.pending);
  recent.lose("a");
  assertEquals(await readable(late), ["pending", "end"]);
  recent.note(life.delivering);
  assertEquals(await readable(late), ["end"]);
});

Deno.test("what is watched in the store is not known here until that ends", async () => {
  const recent = new Recent();
  const life = lifeOf("a");
  recent.note(life.pending);
  let cancelled = 0;
  const stored: RecordReader = {
    read: () => Promise.resolve({ done: false, value: undefined as ExportRecord | undefined }),
    cancel: () => Promise.resolve(void cancelled++),
  };
  const [one, other] = [recent.leave("a", stored), recent.leave("a", stored)];
  recent.note(life.delivering);
  assertEquals(recent.record("a"), undefined);
  await one.cancel();
  await one.cancel();
  recent.note(life.delivering);
  assertEquals(recent.record("a"), undefined, "the other one still watches");
  await other.cancel();
  recent.note(life.finished);
  assert(recent.record("a") !== undefined);
  assertEquals(cancelled, 3);
});
