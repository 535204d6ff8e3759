/** What the owner is shown of the ledger, and told when somebody was at it. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { printLedger, type View } from "../../src/commands/ledger.ts";
import { type ChainHead, emptyChain, link } from "../../src/ledger/chain.ts";
import { keys } from "../../src/ledger/keys.ts";
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

async function run(kv: Deno.Kv, view: View) {
  const lines: string[] = [];
  const code = await printLedger(kv, view, (line) => lines.push(line));
  return { code, lines };
}

Deno.test("the ledger is printed as it lies there, oldest first, one chain after the other", () =>
  withLedger(async (kv, lines) => {
    assertEquals(await run(kv, "entries"), { code: 0, lines: [...lines] });
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

for (const { what, tamper, told } of TAMPERINGS) {
  Deno.test(`it is noticed when ${what}`, () =>
    withLedger(async (kv) => {
      await tamper(kv);
      const { code, lines } = await run(kv, "verdict");
      assertEquals([code, lines.filter((line) => line.startsWith("BROKEN"))], [1, [...told]]);
    }));
}
