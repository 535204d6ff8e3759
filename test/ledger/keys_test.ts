import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { keyBytes, keys } from "../../src/ledger/keys.ts";

/** Deno KV's limit of a key that is written. */
const KV_KEY_BYTES_MAX = 2_048;

type Part = string | number;

/** Size of `key` as Deno KV documents its encoding: strings escaped and closed, numbers as they are. */
function encodedBytes(key: readonly Part[]): number {
  return key.reduce<number>((sum, part) => {
    if (typeof part === "number") return sum + 1 + 8;
    const nuls = part.split("\0").length - 1;
    return sum + 1 + new TextEncoder().encode(part).length + nuls + 1;
  }, 0);
}

const part = fc.oneof<fc.Arbitrary<Part>[]>(
  fc.double(),
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.nat(20).map((n) => "\0".repeat(n)),
);
const key = fc.array(part, { maxLength: 6 });

async function withMemoryKv(test: (kv: Deno.Kv) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await test(kv);
  } finally {
    kv.close();
  }
}

Deno.test("a key is never larger in the store than it is reckoned", () => {
  fc.assert(
    fc.property(key, (key) => {
      assert(keyBytes(key) >= encodedBytes(key));
    }),
    { numRuns: 300 },
  );
});

Deno.test("Deno KV encodes keys in as many bytes as these tests assume", async () => {
  await withMemoryKv(async (kv) => {
    await fc.assert(
      fc.asyncProperty(key, async (key) => {
        const left = KV_KEY_BYTES_MAX - encodedBytes(key) - encodedBytes([""]);
        await kv.set([...key, "x".repeat(left)], 0);
        await assertRejects(
          () => kv.set([...key, "x".repeat(left + 1)], 0),
          TypeError,
          "too large",
        );
      }),
      { numRuns: 100 },
    );
  });
});

Deno.test("what is reckoned as within Deno KV's limit can be written", async () => {
  await withMemoryKv(async (kv) => {
    await fc.assert(
      fc.asyncProperty(key, fc.constantFrom("x", "\0", "é", "\uffff", "😀"), async (key, char) => {
        const left = KV_KEY_BYTES_MAX - keyBytes(key);
        const filled = [...key, char.repeat(Math.floor((left - 2) / (3 * char.length)))];
        assert(keyBytes(filled) <= KV_KEY_BYTES_MAX);
        await kv.set(filled, 0);
      }),
      { numRuns: 100 },
    );
  });
});

const ID = "7b0ea5b6-4ad3-4b6a-9f0e-0a1f6a2f1d11";
const LANE = "x".repeat(22);

/** Every key there is, at its largest. */
const all: Record<keyof typeof keys, Deno.KvKey> = {
  format: keys.format(),
  instance: keys.instance(),
  export: keys.export(ID),
  payload: keys.payload(ID, 160),
  answer: keys.answer(ID, Number.MAX_SAFE_INTEGER, 160),
  place: keys.place(LANE, Number.MAX_SAFE_INTEGER, ID),
  places: keys.places(LANE),
  lease: keys.lease(LANE),
  leases: keys.leases(),
  staged: keys.staged(ID),
  stagings: keys.stagings(),
  idempotency: keys.idempotency(LANE, "x".repeat(43)),
  chain: keys.chain(ID),
  chains: keys.chains(),
  page: keys.page(ID, Number.MAX_SAFE_INTEGER),
  pages: keys.pages(ID),
  secrets: keys.secrets(),
  decoy: keys.decoy(),
  probe: keys.probe(),
};

Deno.test("no two kinds of keys can meet", () => {
  const prefixes: readonly (keyof typeof keys)[] = [
    "places",
    "leases",
    "stagings",
    "chains",
    "pages",
  ];
  const kinds = Object.entries(all).filter(([kind]) => !prefixes.some((prefix) => prefix === kind));
  const names = kinds.map(([, key]) => key[0]);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("a prefix finds the keys that it is for", () => {
  const pairs: readonly (readonly [prefix: Deno.KvKey, key: Deno.KvKey])[] = [
    [keys.places(), all.place],
    [keys.places(LANE), all.place],
    [keys.leases(), all.lease],
    [keys.stagings(), all.staged],
    [keys.chains(), all.chain],
    [keys.pages(ID), all.page],
  ];
  for (const [prefix, key] of pairs) assertEquals(key.slice(0, prefix.length), [...prefix]);
});

Deno.test("the places of a lane, the parts of a payload and the entries of a chain stay in order", async () => {
  await withMemoryKv(async (kv) => {
    for (const n of [10, 9, 1_000, 0, 2 ** 52]) {
      await kv.set(keys.place(LANE, n, ID), n);
      await kv.set(keys.payload(ID, n), n);
      await kv.set(keys.page(ID, n), n);
    }
    const prefixes: readonly Deno.KvKey[] = [keys.places(LANE), ["payload", ID], keys.pages(ID)];
    for (const prefix of prefixes) {
      const found = await Array.fromAsync(kv.list<number>({ prefix }), ({ value }) => value);
      assertEquals(found, [0, 9, 10, 1_000, 2 ** 52]);
    }
  });
});
