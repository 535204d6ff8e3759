/** What the owner is shown as having left: nothing that cannot have, and everything that may. */
import { assertEquals } from "@std/assert";
import { type Departure, departuresIn } from "../../src/exports/departures.ts";
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";
import { accepted, AT, DATA, type Ended, started, WHERE } from "./entries.ts";

function ended(id: string, more: Partial<Ended>): LedgerEntry {
  const { attempt = 1 } = more;
  return {
    ...{ kind: "attempt.ended", at: AT, id, attempt, ms: 1 },
    ...{ outcome: "answered", next: "finished" },
    ...more,
  };
}

function lapsed(id: string, attempt = 1): LedgerEntry {
  return { kind: "attempt.lapsed", at: AT, id, attempt };
}

async function shown(...entries: LedgerEntry[]): Promise<Departure[]> {
  return await Array.fromAsync(departuresIn(entries));
}

Deno.test("what was answered has left: when, whose, where to, what, and what came of it", async () => {
  const end = ended("1", { status: 404, answerBytes: 3, address: "192.0.2.1" });
  assertEquals(await shown(accepted("1"), started("1"), end), [{
    at: "2026-01-01T00:00:00.001Z",
    owner: "ann",
    ...WHERE,
    address: "192.0.2.1",
    ...DATA,
    id: "1",
    attempt: 1,
    arrived: "yes",
    outcome: "answered",
    status: 404,
  }]);
});

const FAILURES: readonly (readonly [outcome: Ended["outcome"], mayHaveLeft: boolean])[] = [
  ["dns_error", false],
  ["connection_refused", false],
  ["certificate_invalid", false],
  ["destination_refused", false],
  ["data_damaged", false],
  ["unreachable", true],
  ["tls_error", true],
  ["timed_out", true],
  ["connection_lost", true],
  ["invalid_answer", true],
];

for (const [outcome, mayHaveLeft] of FAILURES) {
  Deno.test(`of an attempt that ended as ${outcome} data ${mayHaveLeft ? "may have" : "has not"} left`, async () => {
    const end = ended("1", { outcome, next: "retry", dueAt: AT, address: "192.0.2.1" });
    const left = await shown(accepted("1"), started("1"), end);
    const { address: _, ...unconnected } = end as Ended;
    assertEquals(await shown(accepted("1"), started("1"), unconnected), []);
    assertEquals(
      left.map(({ arrived, outcome }) => [arrived, outcome]),
      mayHaveLeft ? [["perhaps", outcome]] : [],
    );
  });
}

Deno.test("what is finished is forgotten, and with it whose it was", async () => {
  const all = await shown(accepted("1"), started("1"), ended("1", {}), started("1"));
  assertEquals(all.map(({ owner }) => owner), ["ann", ""]);
});

Deno.test("an attempt that got no connection took nothing along, though it had an address", async () => {
  const end = ended("1", { outcome: "timed_out", address: "192.0.2.1", unsent: true });
  assertEquals(await shown(accepted("1"), started("1"), end), []);
});

Deno.test("what was sent on a kept connection first may have left, however the second ended", async () => {
  const at = { address: "192.0.2.2", firstSentTo: "192.0.2.1" };
  const addresses = async (more: Partial<Ended>) =>
    (await shown(accepted("1"), started("1"), ended("1", { ...at, ...more })))
      .map(({ address, firstSentTo }) => [address, firstSentTo]);
  assertEquals(await addresses({ outcome: "connection_refused", next: "retry" }), [
    [undefined, "192.0.2.1"],
  ]);
  assertEquals(await addresses({ status: 200 }), [["192.0.2.2", "192.0.2.1"]]);
});

Deno.test("each attempt is a departure of its own, also one that was cut off", async () => {
  const left = await shown(
    accepted("1"),
    started("1"),
    lapsed("1"),
    started("1", 2),
    ended("1", { attempt: 2, outcome: "connection_refused", next: "retry" }),
    started("1", 3),
    ended("1", { attempt: 3, status: 200 }),
  );
  assertEquals(
    left.map(({ owner, attempt, arrived, outcome }) => [owner, attempt, arrived, outcome]),
    [
      ["ann", 1, "perhaps", "unknown"],
      ["ann", 3, "yes", "answered"],
    ],
  );
});

Deno.test("what is accepted has not left; what is on its way may have, and comes last", async () => {
  const left = await shown(
    accepted("1"),
    accepted("2", "bob"),
    started("2"),
    accepted("3", "cleo"),
    started("3"),
    ended("3", { status: 200 }),
    { kind: "refusals.omitted", at: AT, count: 3 },
    { kind: "export.refused", at: AT, reason: "expired", method: "POST", route: "/export" },
  );
  assertEquals(left.map(({ id, owner, outcome }) => [id, owner, outcome]), [
    ["3", "cleo", "answered"],
    ["2", "bob", "unknown"],
  ]);
});

Deno.test("one that is given up after its last attempt was cut off is told once", async () => {
  const end: LedgerEntry = {
    kind: "attempt.lapsed",
    at: AT,
    id: "1",
    attempt: 1,
    next: "finished",
  };
  assertEquals((await shown(accepted("1"), started("1"), end)).map(({ outcome }) => outcome), [
    "unknown",
  ]);
});
