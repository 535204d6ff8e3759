/** Refusals in the ledger, with a ledger that takes entries and nothing else. */
import { assertEquals } from "@std/assert";
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";
import { Refusals } from "../../src/http/refusals.ts";
import type { Ledger } from "../../src/ledger/ledger.ts";
import type { LogEvent } from "../../src/log.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const MINUTE = 60_000;
const BOUND = 60;
const OWNERS = 16;
const REFUSAL = { reason: "token_missing", method: "POST", route: "/export" };

function untouched(): never {
  throw new Error("Cannot answer: a refusal is entered, nothing else");
}

const NO_LEDGER: Omit<Ledger, "enter"> = {
  accept: untouched,
  find: untouched,
  payload: untouched,
  answer: untouched,
  head: untouched,
  behind: untouched,
  claim: untouched,
  settle: untouched,
  lanes: untouched,
  watch: untouched,
  probe: untouched,
};

function refusalsWith(enter?: (entry: LedgerEntry) => Promise<void>) {
  const clock = new FakeClock();
  const entries: LedgerEntry[] = [];
  const lines: LogEvent[] = [];
  const take = (entry: LedgerEntry) => {
    entries.push(entry);
    return Promise.resolve();
  };
  const refusals = new Refusals({
    ledger: { ...NO_LEDGER, enter: enter ?? take },
    clock,
    log: (event) => void lines.push(event),
  });
  const note = (times: number) => {
    for (let n = 0; n < times; n++) refusals.note(REFUSAL);
  };
  return { refusals, note, clock, entries, lines };
}

function kinds(entries: readonly LedgerEntry[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of entries) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

Deno.test("a refusal is entered with its time and told to the log", () => {
  const { refusals, clock, entries, lines } = refusalsWith();
  clock.advance(1_234);
  const refusal = { ...REFUSAL, reason: "destination_wrong", owner: "o", host: "a.example" };
  refusals.note(refusal);
  assertEquals(entries, [{ kind: "export.refused", at: clock.now(), ...refusal }]);
  assertEquals(lines, [{ event: "export.refused", ...refusal }]);
});

Deno.test("past the bound of a minute refusals are only counted", () => {
  const { note, entries, lines } = refusalsWith();
  note(BOUND);
  assertEquals(kinds(entries), { "export.refused": BOUND });
  note(1_000);
  assertEquals(kinds(entries), { "export.refused": BOUND });
  assertEquals(lines.length, BOUND);
});

Deno.test("what was only counted is entered with the first refusal of another minute", () => {
  const { note, clock, entries, lines } = refusalsWith();
  note(BOUND + 7);
  clock.advance(MINUTE - 1);
  note(1);
  assertEquals(entries.length, BOUND);
  clock.advance(1);
  note(1);
  assertEquals(entries.slice(BOUND), [
    { kind: "refusals.omitted", at: clock.now(), count: 8 },
    { kind: "export.refused", at: clock.now(), ...REFUSAL },
  ]);
  assertEquals(lines.slice(BOUND), [
    { event: "refusals.omitted", count: 8 },
    { event: "export.refused", ...REFUSAL },
  ]);
});

Deno.test("refusals only counted are entered at the end of their minute, though nobody comes any more", async () => {
  const { refusals, note, clock, entries } = refusalsWith();
  clock.advance(20_000);
  note(BOUND + 7);
  const untilEnd = MINUTE - clock.now() % MINUTE;
  clock.advance(untilEnd - 1);
  assertEquals(entries.length, BOUND);
  clock.advance(1);
  assertEquals(entries.slice(BOUND), [{ kind: "refusals.omitted", at: clock.now(), count: 7 }]);
  note(BOUND + 1);
  await refusals.close();
  assertEquals(clock.pending, 0);
  assertEquals(entries.at(-1), { kind: "refusals.omitted", at: clock.now(), count: 1 });
});

Deno.test("no owner's refusals are hidden by those of strangers or of another owner", () => {
  const { refusals, note, clock, entries } = refusalsWith();
  const noteOf = (owner: string, times: number) => {
    for (let n = 0; n < times; n++) refusals.note({ ...REFUSAL, owner });
  };
  note(BOUND + 1);
  noteOf("a", BOUND + 2);
  noteOf("b", 1);
  assertEquals(entries.length, BOUND + BOUND + 1);
  assertEquals(entries.at(-1), { kind: "export.refused", at: clock.now(), ...REFUSAL, owner: "b" });
  clock.advance(MINUTE);
  noteOf("b", 1);
  assertEquals(entries.slice(-3, -1), [
    { kind: "refusals.omitted", at: clock.now(), count: 1 },
    { kind: "refusals.omitted", at: clock.now(), count: 2, owner: "a" },
  ]);
});

Deno.test("whoever makes ever new owners has one bound with the strangers, and no more", async () => {
  const { refusals, clock, entries } = refusalsWith();
  for (let n = 0; n < 10_000; n++) refusals.note({ ...REFUSAL, owner: `owner ${n}` });
  assertEquals(kinds(entries), { "export.refused": OWNERS + BOUND });
  refusals.note({ ...REFUSAL, owner: "owner 0" });
  assertEquals(kinds(entries), { "export.refused": OWNERS + BOUND + 1 });
  await refusals.close();
  const count = 10_000 - OWNERS - BOUND;
  assertEquals(entries.at(-1), { kind: "refusals.omitted", at: clock.now(), count });
});

Deno.test("every minute has its own bound", () => {
  const { note, clock, entries } = refusalsWith();
  for (let minute = 0; minute < 3; minute++) {
    note(BOUND + 1);
    clock.advance(MINUTE);
  }
  assertEquals(kinds(entries), { "export.refused": 3 * BOUND, "refusals.omitted": 3 });
});

Deno.test("what the ledger does not take is entered by its number once it does, and logged once", async () => {
  const taken: LedgerEntry[] = [];
  let isAway = true;
  const { refusals, note, clock, lines } = refusalsWith((entry) => {
    if (isAway) return Promise.reject(new Error("no room"));
    taken.push(entry);
    return Promise.resolve();
  });
  const settled = () => new Promise((resolve) => setTimeout(resolve));
  note(3);
  refusals.note({ ...REFUSAL, owner: "a" });
  await settled();
  clock.advance(MINUTE);
  await settled();
  note(BOUND + 2);
  await settled();
  isAway = false;
  clock.advance(MINUTE);
  await settled();
  assertEquals(taken, [
    { kind: "refusals.omitted", at: clock.now(), count: 3 + BOUND + 2 },
    { kind: "refusals.omitted", at: clock.now(), count: 1, owner: "a" },
  ]);
  const told = lines.map(({ event, count, entry }) => ({ event, count, entry }));
  assertEquals(told.filter(({ event }) => event === "export.refused").length, 3 + 1 + BOUND);
  assertEquals(told.filter(({ event }) => event === "refusals.omitted"), [
    { event: "refusals.omitted", count: 2, entry: undefined },
  ]);
  assertEquals(told.filter(({ event }) => event === "store.failed").length, 2, "one a minute");
  await refusals.close();
  assertEquals([taken.length, clock.pending], [2, 0]);
});

Deno.test("a ledger that is away at the end leaves no timer behind", async () => {
  const { refusals, note, clock } = refusalsWith(() => Promise.reject(new Error("no room")));
  note(BOUND + 2);
  await refusals.close();
  assertEquals(clock.pending, 0);
});

Deno.test("a clock that is set back loses no refusal", () => {
  const { note, clock, entries } = refusalsWith();
  note(BOUND + 2);
  clock.advance(-10 * MINUTE);
  note(1);
  assertEquals(entries.slice(BOUND), [
    { kind: "refusals.omitted", at: clock.now(), count: 2 },
    { kind: "export.refused", at: clock.now(), ...REFUSAL },
  ]);
});

Deno.test("at the end the count is entered once, and nothing where nothing was omitted", async () => {
  const { refusals, note, clock, entries } = refusalsWith();
  await refusals.close();
  note(BOUND);
  await refusals.close();
  assertEquals(kinds(entries), { "export.refused": BOUND });
  note(3);
  await refusals.close();
  await refusals.close();
  assertEquals(entries.slice(BOUND), [{ kind: "refusals.omitted", at: clock.now(), count: 3 }]);
});

Deno.test("a ledger that fails is told to the log, and to nobody else", async () => {
  const error = new Error("disk full");
  const { refusals, note, lines } = refusalsWith(() => Promise.reject(error));
  note(BOUND + 1);
  await refusals.close();
  const failures = lines.filter(({ event }) => event === "store.failed");
  assertEquals(failures, [{ event: "store.failed", entry: "export.refused", error }]);
});

Deno.test("the end waits until the ledger has answered to everything, be it with a failure", async () => {
  const answers: PromiseWithResolvers<void>[] = [];
  const { refusals, note } = refusalsWith(() => {
    const answer = Promise.withResolvers<void>();
    answers.push(answer);
    return answer.promise;
  });
  note(BOUND + 1);
  let isOver = false;
  const closing = refusals.close().then(() => isOver = true);
  assertEquals(answers.length, BOUND + 1);
  const [first, ...others] = answers;
  for (const { resolve } of others) resolve();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(isOver, false);
  first?.reject(new Error("disk full"));
  await closing;
});

Deno.test("a caller's answer does not wait for the ledger", () => {
  const { note, lines } = refusalsWith(() => new Promise(() => {}));
  note(2);
  assertEquals(lines.length, 2);
});
