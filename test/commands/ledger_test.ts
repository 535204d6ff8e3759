/** What the owner is shown of the ledger, and told when somebody was at it. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { printLedger, questionIn, type View } from "../../src/commands/ledger.ts";
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";
import { type ChainHead, emptyChain, link } from "../../src/ledger/chain.ts";
import { keys } from "../../src/ledger/keys.ts";
import { pagesOf } from "../../src/ledger/pages.ts";
import { UsageError } from "../../src/machine/flags.ts";
import { defined } from "../fakes/expect.ts";

const BOX = "box";
const FORMER = "former box";

/** Writes a chain of three entries, a page each. */
async function writeChain(kv: Deno.Kv, instance: string): Promise<string[]> {
  let head: ChainHead = emptyChain(instance);
  const lines = [];
  for (const at of [1, 2, 3]) {
    const next = link(head, { kind: "refusals.omitted", at, count: at }, {});
    head = next.head;
    await kv.set(keys.page(instance, head.seq), next.bytes);
    lines.push(new TextDecoder().decode(next.bytes));
  }
  await kv.set(keys.chain(instance), head);
  return lines;
}

async function withLedger(
  use: (kv: Deno.Kv, lines: readonly string[]) => Promise<void>,
): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await kv.set(keys.instance(), BOX);
    await use(kv, [...await writeChain(kv, BOX), ...await writeChain(kv, FORMER)]);
  } finally {
    kv.close();
  }
}

async function run(kv: Deno.Kv, view: View, expected?: string) {
  const lines: string[] = [];
  const warnings: string[] = [];
  const code = await printLedger(kv, { view, expected }, {
    print: (line) => lines.push(line),
    warn: (line) => warnings.push(line),
  });
  return { code, lines, warnings };
}

Deno.test("the ledger is printed as it lies there, oldest first, one chain after the other", () =>
  withLedger(async (kv, lines) => {
    assertEquals(await run(kv, "entries"), { code: 0, lines: [...lines], warnings: [] });
  }));

Deno.test("a whole ledger is said to be so, with its last hash", () =>
  withLedger(async (kv) => {
    const { value: end } = await kv.get<ChainHead>(keys.chain(BOX));
    const { code, lines } = await run(kv, "verdict");
    assertEquals([code, lines.length], [0, 2]);
    assertEquals(lines[0], `intact: 3 entries of ${BOX}, ending in ${defined(end).hash}`);
  }));

Deno.test("a store in which nothing has happened yet is whole", async () => {
  const kv = await Deno.openKv(":memory:");
  await kv.set(keys.instance(), BOX);
  const { code, lines } = await run(kv, "verdict");
  assertEquals([code, lines.length], [0, 1]);
  assertStringIncludes(defined(lines[0]), `intact: 0 entries of ${BOX}`);
  kv.close();
});

const TAMPERINGS: readonly {
  readonly what: string;
  readonly tamper: (kv: Deno.Kv) => Promise<unknown>;
  readonly told: readonly string[];
}[] = [
  {
    what: "an entry is changed",
    tamper: async (kv) => {
      const { value } = await kv.get<Uint8Array>(keys.page(BOX, 2));
      const text = new TextDecoder().decode(defined(value)).replace('"count":2', '"count":9');
      await kv.set(keys.page(BOX, 2), new TextEncoder().encode(text));
    },
    told: [
      `BROKEN: ledger of ${BOX}, entry 3: does not follow from entry 2: one of the two was changed`,
    ],
  },
  {
    what: "the last entry is changed",
    tamper: async (kv) => {
      const { value } = await kv.get<Uint8Array>(keys.page(BOX, 3));
      const text = new TextDecoder().decode(defined(value)).replace('"count":3', '"count":9');
      await kv.set(keys.page(BOX, 3), new TextEncoder().encode(text));
    },
    told: [`BROKEN: ledger of ${BOX}, entry 3: is not the entry that was written last`],
  },
  {
    what: "an entry in the middle is removed",
    tamper: (kv) => kv.delete(keys.page(BOX, 2)),
    told: [`BROKEN: ledger of ${BOX}, entry 2: entry 3 stands in its place`],
  },
  {
    what: "the last entry is removed",
    tamper: (kv) => kv.delete(keys.page(BOX, 3)),
    told: [`BROKEN: ledger of ${BOX}, entry 3: the chain should end at entry 3`],
  },
  {
    what: "all entries are removed",
    tamper: async (kv) => {
      for (const seq of [1, 2, 3]) await kv.delete(keys.page(BOX, seq));
    },
    told: [`BROKEN: ledger of ${BOX}, entry 1: the chain should end at entry 3`],
  },
  {
    what: "the end is removed",
    tamper: (kv) => kv.delete(keys.chain(BOX)),
    told: [`BROKEN: ledger of ${BOX}, entry 3: the end of the chain is missing`],
  },
  {
    what: "the end and the store's own name are removed",
    tamper: (kv) => kv.atomic().delete(keys.chain(BOX)).delete(keys.instance()).commit(),
    told: [`BROKEN: ledger of ${BOX}, entry 3: the end of the chain is missing`],
  },
  {
    what: "every end is removed",
    tamper: (kv) => kv.atomic().delete(keys.chain(BOX)).delete(keys.chain(FORMER)).commit(),
    told: [BOX, FORMER].map((instance) =>
      `BROKEN: ledger of ${instance}, entry 3: the end of the chain is missing`
    ),
  },
];

const LISTINGS = [
  ["entries", "the listing"],
  ["left", "--left"],
  ["open", "--open"],
] as const;

for (const { what, tamper, told } of TAMPERINGS) {
  Deno.test(`it is noticed when ${what}`, () =>
    withLedger(async (kv) => {
      await tamper(kv);
      const { code, lines, warnings } = await run(kv, "verdict");
      assertEquals([code, lines.filter((line) => line.startsWith("BROKEN"))], [1, [...told]]);
      assertEquals(warnings, []);
    }));

  for (const [view, typed] of LISTINGS) {
    Deno.test(`${typed} tells too when ${what}`, () =>
      withLedger(async (kv) => {
        await tamper(kv);
        const { code, warnings } = await run(kv, view);
        assertEquals([code, warnings.slice(0, -1)], [1, [...told]]);
        assertStringIncludes(defined(warnings.at(-1)), "Run `deno task ledger --verify`");
      }));
  }
}

Deno.test("a store without a ledger has lost it, whatever is asked", async () => {
  const kv = await Deno.openKv(":memory:");
  for (const view of ["entries", "left", "open", "verdict"] as const) {
    const { code, lines, warnings } = await run(kv, view);
    assertEquals([code, lines, warnings.length], [1, [], 1]);
    assertStringIncludes(defined(warnings[0]), "There is no ledger in the store");
  }
  kv.close();
});

const AT = Date.UTC(2026, 0, 1);

/** Two exports that were answered. */
const STORY: readonly LedgerEntry[] = [
  accepted("1"),
  started("1"),
  ended("1"),
  accepted("2"),
  started("2"),
  ended("2"),
];

function accepted(id: string): LedgerEntry {
  const where = { host: "a.example", path: "/in" };
  return { kind: "export.accepted", at: AT, id, owner: "ann", bytes: 7, sha256: "5ha", ...where };
}

function started(id: string): LedgerEntry {
  const where = { host: "a.example", path: "/in" };
  return { kind: "attempt.started", at: AT, id, attempt: 1, bytes: 7, sha256: "5ha", ...where };
}

function ended(id: string): LedgerEntry {
  return {
    ...{ kind: "attempt.ended", at: AT, id, attempt: 1, ms: 1, address: "192.0.2.1" },
    ...{ outcome: "answered", status: 200, next: "finished" },
  };
}

/** A store with a chain of {@link STORY}, three entries a page. */
async function withStory(use: (kv: Deno.Kv) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await kv.set(keys.instance(), BOX);
    let head: ChainHead = emptyChain(BOX);
    const entries = STORY.map((entry) => {
      const linked = link(head, entry, {});
      head = linked.head;
      return { seq: head.seq, bytes: linked.bytes };
    });
    for (const first of [0, 3]) {
      const [page] = pagesOf(entries.slice(first, first + 3), 4_096);
      await kv.set(keys.page(BOX, first + 1), defined(page).bytes);
    }
    await kv.set(keys.chain(BOX), head);
    await use(kv);
  } finally {
    kv.close();
  }
}

/** Changes entry `seq` as it lies in the store. */
async function change(kv: Deno.Kv, seq: number, into: (line: string) => string): Promise<void> {
  const key = keys.page(BOX, seq > 3 ? 4 : 1);
  const { value } = await kv.get<Uint8Array>(key);
  const lines = new TextDecoder().decode(defined(value)).split("\n");
  const text = lines.map((line, n) => n === (seq - 1) % 3 ? into(line) : line).join("\n");
  await kv.set(key, new TextEncoder().encode(text));
}

const GARBLED: readonly (readonly [what: string, into: (line: string) => string])[] = [
  ["has a control character", (line) => `${line.slice(0, 20)}\u0001${line.slice(21)}`],
  ["is cut off", (line) => line.slice(0, 40)],
  ["is empty", () => ""],
  ["is another kind of JSON", () => "null"],
];

for (const [what, into] of GARBLED) {
  for (const [view, typed] of LISTINGS) {
    Deno.test(`${typed} names an entry that ${what}, and shows the others`, () =>
      withStory(async (kv) => {
        const whole = await run(kv, view);
        await change(kv, 2, into);
        const { code, lines, warnings } = await run(kv, view);
        assertEquals(code, 1);
        const hidden = { entries: 1, left: 0, open: Infinity };
        assertEquals(lines, whole.lines.toSpliced(hidden[view], 1));
        assertEquals(warnings.slice(0, 2), [
          `Entry 2 of ${BOX} cannot be read and is left out`,
          `BROKEN: ledger of ${BOX}, entry 2: not a ledger entry`,
        ]);
        assertStringIncludes(defined(warnings[2]), "Run `deno task ledger --verify`");
      }));
  }
}

const FORGED: readonly (readonly [what: string, from: string, to: string])[] = [
  ["an outcome that there is not", '"outcome":"answered"', '"outcome":"toString"'],
  ["a time that is none", `"at":${AT}`, '"at":"noon"'],
  ["a time beyond all times", `"at":${AT}`, '"at":1e300'],
  ["no id", '"id":"2"', '"it":"2"'],
  ["a number in place of a text", '"id":"2"', '"id":2'],
  ["a kind that there is not", '"kind":"attempt.ended"', '"kind":"attempt.undone"'],
];

for (const [what, from, to] of FORGED) {
  Deno.test(`what left is shown without an entry that has ${what}`, () =>
    withStory(async (kv) => {
      await change(kv, 6, (line) => line.replace(from, to));
      const { code, lines, warnings } = await run(kv, "left");
      assertEquals(code, 1);
      assertEquals(lines.map((line) => JSON.parse(line).outcome), ["answered", "unknown"]);
      assertStringIncludes(defined(warnings[0]), `Entry 6 of ${BOX} cannot be read`);
    }));
}

Deno.test("of what is open nothing is hidden by an entry that cannot be read", () =>
  withStory(async (kv) => {
    assertEquals(await run(kv, "open"), { code: 0, lines: [], warnings: [] });
    await change(kv, 3, () => "");
    await change(kv, 6, () => "");
    const { code, lines, warnings } = await run(kv, "open");
    assertEquals([code, warnings.length], [1, 4]);
    assertEquals(
      lines.map((line) => JSON.parse(line)),
      ["1", "2"].map((id) => ({
        ...{ acceptedAt: "2026-01-01T00:00:00.000Z", owner: "ann", host: "a.example", path: "/in" },
        ...{ bytes: 7, id, state: "running", attempts: 1 },
      })),
    );
  }));

Deno.test("a hash that was kept is found wherever the chain has come since", () =>
  withStory(async (kv) => {
    const { value: end } = await kv.get<ChainHead>(keys.chain(BOX));
    const { lines: entries } = await run(kv, "entries");
    const kept = entries.map((line) => JSON.parse(line).prev).concat(defined(end).hash);
    assertEquals(kept.length, 7);
    for (const hash of kept) {
      const { code, lines } = await run(kv, "verdict", hash);
      assertEquals([code, lines[1]], [0, `found: ${hash} in the chain of ${BOX}`]);
    }
  }));

Deno.test("a hash that was kept is missed once the chain was cut off or written anew", () =>
  withStory(async (kv) => {
    const { value: end } = await kv.get<ChainHead>(keys.chain(BOX));
    const kept = defined(end).hash;
    await kv.delete(keys.page(BOX, 1));
    await kv.delete(keys.page(BOX, 4));
    await writeChain(kv, BOX);
    assertEquals((await run(kv, "verdict")).code, 0);
    const { code, lines } = await run(kv, "verdict", kept);
    assertEquals(code, 1);
    assertStringIncludes(defined(lines[0]), "intact: 3 entries");
    assertStringIncludes(defined(lines[1]), `MISSING: ${kept}: no chain leads through it`);
  }));

Deno.test("one thing is asked at a time, and a hash only where it is looked for", () => {
  const hash = "0a".repeat(32);
  assertEquals(questionIn([]), { view: "entries", expected: undefined });
  assertEquals(questionIn(["--open"]), { view: "open", expected: undefined });
  assertEquals(questionIn(["--verify", "--expect", hash.toUpperCase()]), {
    view: "verdict",
    expected: hash,
  });
  const wrong = [
    ["--left", "--open"],
    ["--open", "--verify"],
    ["--expect", hash],
    ["--left", "--expect", hash],
    ["--verify", "--expect", hash.slice(1)],
    ["--verify", "--expect", ""],
    ["export.kv"],
  ];
  for (const args of wrong) assertThrows(() => questionIn(args), UsageError, "Usage: ");
});
