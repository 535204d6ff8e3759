/** What the operator is shown as unfinished: whose, where to, how far it has come, and what is next. */
import { assertEquals } from "@std/assert";
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";
import { type StillOpen, stillOpenIn } from "../../src/exports/still_open.ts";
import { accepted, AT, type Ended, started, WHERE } from "./entries.ts";

function ended(id: string, attempt: number, more: Partial<Ended>): LedgerEntry {
  return {
    ...{ kind: "attempt.ended", at: AT + attempt, id, attempt, ms: 1 },
    ...{ outcome: "answered", next: "finished" },
    ...more,
  };
}

function retry(id: string, attempt: number, more: Partial<Ended>): LedgerEntry {
  return ended(id, attempt, { next: "retry", dueAt: AT + 5_000, ...more });
}

function lapsed(id: string, attempt: number, next?: "finished"): LedgerEntry {
  return { kind: "attempt.lapsed", at: AT, id, attempt, ...(next && { next }) };
}

async function shown(...entries: LedgerEntry[]): Promise<StillOpen[]> {
  return await Array.fromAsync(stillOpenIn(entries));
}

const OPEN = {
  acceptedAt: "2026-01-01T00:00:00.000Z",
  owner: "ann",
  ...WHERE,
  bytes: 7,
  id: "1",
};
const DUE = { dueAt: "2026-01-01T00:00:05.000Z" };

const cases: readonly {
  readonly what: string;
  readonly entries: readonly LedgerEntry[];
  readonly open: Omit<StillOpen, keyof typeof OPEN> | undefined;
}[] = [
  {
    what: "an export that was accepted waits, without attempts",
    entries: [],
    open: { state: "waiting", attempts: 0 },
  },
  {
    what: "one whose attempt has no end runs",
    entries: [started("1")],
    open: { state: "running", attempts: 1 },
  },
  {
    what: "one that failed waits for its next attempt, with the reason",
    entries: [started("1"), retry("1", 1, { outcome: "timed_out" })],
    open: { state: "waiting", attempts: 1, outcome: "timed_out", ...DUE },
  },
  {
    what: "one whose answer is to be tried again tells the status",
    entries: [started("1"), retry("1", 1, { status: 503 })],
    open: { state: "waiting", attempts: 1, outcome: "answered", status: 503, ...DUE },
  },
  {
    what: "while it is tried again, what came of the attempt before is still told",
    entries: [started("1"), retry("1", 1, { status: 503 }), started("1", 2)],
    open: { state: "running", attempts: 2, outcome: "answered", status: 503 },
  },
  {
    what: "of a failure after an answer no status is left",
    entries: [
      started("1"),
      retry("1", 1, { status: 503 }),
      started("1", 2),
      retry("1", 2, { outcome: "dns_error" }),
    ],
    open: { state: "waiting", attempts: 2, outcome: "dns_error", ...DUE },
  },
  {
    what: "an attempt that was cut off came to something unknown",
    entries: [
      started("1"),
      retry("1", 1, { status: 503 }),
      started("1", 2),
      lapsed("1", 2),
      started("1", 3),
    ],
    open: { state: "running", attempts: 3, outcome: "unknown" },
  },
  {
    what: "one that was answered is not open",
    entries: [started("1"), ended("1", 1, { status: 200 })],
    open: undefined,
  },
  {
    what: "nor is one that ended with a failure",
    entries: [started("1"), ended("1", 1, { outcome: "certificate_invalid" })],
    open: undefined,
  },
  {
    what: "nor one that was given up after it was cut off",
    entries: [started("1"), lapsed("1", 1, "finished")],
    open: undefined,
  },
];

for (const { what, entries, open } of cases) {
  Deno.test(what, async () => {
    assertEquals(
      await shown(accepted("1"), ...entries),
      open === undefined ? [] : [{ ...OPEN, ...open }],
    );
  });
}

Deno.test("open exports come in the order of their acceptance, whatever came of them since", async () => {
  const open = await shown(
    accepted("1"),
    accepted("2", "bob"),
    accepted("3"),
    started("2"),
    started("3"),
    started("1"),
    ended("3", 1, { status: 200 }),
    retry("1", 1, { outcome: "connection_refused" }),
    accepted("4"),
    { kind: "refusals.omitted", at: AT, count: 3 },
    { kind: "export.refused", at: AT, reason: "expired", method: "POST", route: "/export" },
  );
  assertEquals(open.map(({ id, owner, state }) => [id, owner, state]), [
    ["1", "ann", "waiting"],
    ["2", "bob", "running"],
    ["4", "ann", "waiting"],
  ]);
});

Deno.test("without the entry of its acceptance an open export is shown as far as it is known", async () => {
  const { acceptedAt: _, ...rest } = OPEN;
  assertEquals(await shown(started("1")), [
    { ...rest, owner: "", state: "running", attempts: 1 },
  ]);
  assertEquals(await shown(retry("1", 1, { outcome: "timed_out" })), []);
});
