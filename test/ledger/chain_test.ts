import { assert, assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import { createHash } from "node:crypto";
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";
import { type ChainHead, emptyChain, link } from "../../src/ledger/chain.ts";
import { verifyChain } from "../fakes/verify.ts";

const BOX = "box";

/** A chain with an entry for each of `counts`. */
function chainOf(counts: readonly number[], instance = BOX) {
  let head = emptyChain(instance);
  const entries = counts.map((count, n) => {
    const linked = link(head, { kind: "refusals.omitted", at: n, count }, {});
    head = linked.head;
    return linked.bytes;
  });
  return { entries, head };
}

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes);
}

function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function isIntact(entries: readonly Uint8Array[], end?: ChainHead): Promise<boolean> {
  return (await verifyChain(BOX, entries, end)).kind === "intact";
}

const counts = fc.array(fc.nat(), { minLength: 2, maxLength: 12 });

Deno.test("an entry is kept as JSON, its number first and its link second", () => {
  const before: ChainHead = { seq: 41, hash: "ab" };
  const entry: LedgerEntry = { kind: "refusals.omitted", at: 5, count: 2 };
  const { bytes, head } = link(before, entry, { unsafe_loopback: true });
  assertEquals(
    text(bytes),
    `{"seq":42,"prev":"ab","kind":"refusals.omitted","at":5,"count":2,"unsafe_loopback":true}`,
  );
  assertEquals(head, { seq: 42, hash: sha256(bytes) });
});

Deno.test("a chain begins with the name of its instance", async () => {
  assertEquals(emptyChain(BOX), { seq: 0, hash: sha256("databox export ledger box") });
  assertEquals(await verifyChain(BOX, []), { kind: "intact", head: emptyChain(BOX) });
  assertEquals(await verifyChain(BOX, [], emptyChain(BOX)), {
    kind: "intact",
    head: emptyChain(BOX),
  });
});

Deno.test("the entries of another instance do not verify", async () => {
  const { entries, head } = chainOf([1, 2], "other");
  assertEquals(await verifyChain(BOX, entries, head), {
    kind: "broken",
    seq: 1,
    reason: "does not begin this chain",
  });
  assertNotEquals(emptyChain(BOX).hash, emptyChain("other").hash);
});

Deno.test("an unharmed chain is intact, from an array or from a store", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(), { maxLength: 12 }), async (counts) => {
      const { entries, head } = chainOf(counts);
      async function* stored() {
        yield* entries;
      }
      assertEquals(await verifyChain(BOX, entries), { kind: "intact", head });
      assertEquals(await verifyChain(BOX, stored(), head), { kind: "intact", head });
    }),
    { numRuns: 100 },
  );
});

Deno.test("a removed entry is missed where it stood", async () => {
  await fc.assert(
    fc.asyncProperty(counts, fc.nat(), async (counts, random) => {
      const { entries, head } = chainOf(counts);
      const at = random % (entries.length - 1); // The last one is the next test's.
      assertEquals(await verifyChain(BOX, entries.toSpliced(at, 1), head), {
        kind: "broken",
        seq: at + 1,
        reason: `entry ${at + 2} stands in its place`,
      });
      assert(!await isIntact(entries.toSpliced(at, 1)));
    }),
    { numRuns: 200 },
  );
});

Deno.test("entries cut off at the end are missed by whoever knows the end", async () => {
  await fc.assert(
    fc.asyncProperty(counts, fc.nat(), async (counts, random) => {
      const { entries, head } = chainOf(counts);
      const kept = entries.slice(0, random % entries.length);
      assertEquals(await verifyChain(BOX, kept, head), {
        kind: "broken",
        seq: kept.length + 1,
        reason: `the chain should end at entry ${head.seq}`,
      });
      assert(await isIntact(kept));
    }),
    { numRuns: 200 },
  );
});

Deno.test("an entry added at the end shows to whoever knows the end", async () => {
  const { entries, head } = chainOf([1, 2]);
  const forged = link(head, { kind: "refusals.omitted", at: 0, count: 3 }, {});
  assert(!await isIntact([...entries, forged.bytes], head));
  assert(await isIntact([...entries, forged.bytes], forged.head));
});

Deno.test("two entries in each other's place show", async () => {
  await fc.assert(
    fc.asyncProperty(counts, fc.nat(), fc.nat(), async (counts, one, other) => {
      const { entries } = chainOf(counts);
      const at = one % entries.length;
      const by = other % entries.length;
      fc.pre(at !== by);
      const [first = new Uint8Array(), second = new Uint8Array()] = [entries[at], entries[by]];
      const swapped = entries.with(at, second).with(by, first);
      assertEquals(await verifyChain(BOX, swapped), {
        kind: "broken",
        seq: Math.min(at, by) + 1,
        reason: `entry ${Math.max(at, by) + 1} stands in its place`,
      });
    }),
    { numRuns: 200 },
  );
});

Deno.test("an entry told twice shows", async () => {
  await fc.assert(
    fc.asyncProperty(counts, fc.nat(), async (counts, random) => {
      const { entries, head } = chainOf(counts);
      const at = random % entries.length;
      const doubled = entries.toSpliced(at, 0, ...entries.slice(at, at + 1));
      assert(!await isIntact(doubled, head));
      assert(!await isIntact(doubled));
    }),
    { numRuns: 100 },
  );
});

Deno.test("any byte that is changed anywhere shows", async () => {
  await fc.assert(
    fc.asyncProperty(
      counts,
      fc.nat(),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      async (counts, which, where, mask) => {
        const { entries, head } = chainOf(counts);
        const at = which % entries.length;
        const changed = Uint8Array.from(entries[at] ?? []);
        const byte = where % changed.length;
        changed[byte] = (changed[byte] ?? 0) ^ mask;
        assert(!await isIntact(entries.with(at, changed), head));
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("a changed entry shows in the next one, even if it says the same", async () => {
  const { entries, head } = chainOf([1, 2, 3]);
  const spaced = new TextEncoder().encode(text(entries[0]).replace(",", ", "));
  assertEquals(await verifyChain(BOX, entries.with(0, spaced), head), {
    kind: "broken",
    seq: 2,
    reason: "does not follow from entry 1: one of the two was changed",
  });
});

Deno.test("a whole chain written anew does not lead to the old end", async () => {
  const { head } = chainOf([1, 2, 3]);
  assert(!await isIntact(chainOf([1, 2, 4]).entries, head));
  assert(!await isIntact(chainOf([7, 2, 3]).entries, head));
});

Deno.test("what is no entry is said to be none", async () => {
  const { entries } = chainOf([1, 2]);
  for (
    const bytes of [new Uint8Array(), new Uint8Array([0xff]), new TextEncoder().encode("null")]
  ) {
    assertEquals(await verifyChain(BOX, entries.with(1, bytes)), {
      kind: "broken",
      seq: 2,
      reason: "not a ledger entry",
    });
  }
});
