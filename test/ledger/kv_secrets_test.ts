/** Secrets kept in the store: as the arbiter's room needs it, in memory and in a file. */
import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import fc from "fast-check";
import { FORMER_SECRETS_MAX, SECRET_BYTES_MAX } from "../../src/arbiter/arbiter_limits.ts";
import { readSecret } from "../../src/arbiter/fetched_secret.ts";
import type { SecretStore } from "../../src/arbiter/arbiter_secrets.ts";
import { keys } from "../../src/ledger/keys.ts";
import { KvSecrets } from "../../src/ledger/kv_secrets.ts";

const KEPT = [{ secret: "present" }, { secret: "former", formerSince: 1_893_456_000_000 }];

/** Deno KV's limit of a value. */
const KV_VALUE_BYTES_MAX = 65_536;

async function withMemoryKv(test: (kv: Deno.Kv) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await test(kv);
  } finally {
    kv.close();
  }
}

async function withFileKv(test: (open: () => Promise<Deno.Kv>) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(() => Deno.openKv(`${folder}/export.kv`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a new store has no secrets", () =>
  withMemoryKv(async (kv) => {
    assertEquals(await new KvSecrets(kv).load(), []);
  }));

Deno.test("what is kept takes the place of all that was", () =>
  withMemoryKv(async (kv) => {
    const store: SecretStore = new KvSecrets(kv);
    for (const kept of [KEPT, [{ secret: "another" }], []]) {
      await store.keep(kept);
      assertEquals(await store.load(), kept);
    }
  }));

Deno.test("what is kept in a file is there for the next process", () =>
  withFileKv(async (open) => {
    const before = await open();
    await new KvSecrets(before).keep(KEPT);
    before.close();
    const after = await open();
    assertEquals(await new KvSecrets(after).load(), KEPT);
    after.close();
  }));

Deno.test("any secrets that can be kept are read as they were", () =>
  withMemoryKv(async (kv) => {
    const store = new KvSecrets(kv);
    const secret = fc.record(
      { secret: fc.string({ unit: "binary", minLength: 1 }), formerSince: fc.maxSafeNat() },
      { requiredKeys: ["secret"], noNullPrototype: true },
    );
    await fc.assert(fc.asyncProperty(fc.array(secret, { maxLength: 5 }), async (secrets) => {
      await store.keep(secrets);
      assertEquals(await store.load(), secrets);
    }));
  }));

Deno.test("as many secrets as there may be, as long as they may be, take little over half of a value", () =>
  withFileKv(async (open) => {
    const kv = await open();
    const secrets = Array.from({ length: FORMER_SECRETS_MAX + 1 }, (_, n) => ({
      secret: "~".repeat(SECRET_BYTES_MAX),
      ...n === 0 ? {} : { formerSince: Number.MAX_SAFE_INTEGER - n },
    }));
    const store = new KvSecrets(kv);
    await store.keep(secrets);
    assertEquals(await store.load(), secrets);
    const { value } = await kv.get<Uint8Array>(keys.secrets());
    assert(value !== null && value.length < 0.6 * KV_VALUE_BYTES_MAX, `${value?.length} bytes`);
    kv.close();
  }));

Deno.test("no character of an arbiter's secret takes more than a byte in the store", () => {
  for (let byte = 0; byte < 256; byte++) {
    const secret = readSecret(Uint8Array.of(byte));
    if (secret === undefined) continue;
    assertEquals(new TextEncoder().encode(JSON.stringify(secret)).length, 3);
  }
});

const utf8 = (text: string) => new TextEncoder().encode(text);

const unreadable: Readonly<Record<string, unknown>> = {
  "no JSON": utf8("sesame"),
  "no UTF-8": Uint8Array.of(0x22, 0xff, 0x22),
  "JSON cut short": utf8('{"v":1,"secrets":[{"secret":"sesame"'),
  "nothing at all": new Uint8Array(),
  "null": utf8("null"),
  "a list without a version": utf8('[{"secret":"sesame"}]'),
  "a version without secrets": utf8('{"v":1}'),
  "a version as text": utf8('{"v":"1","secrets":[]}'),
  "a secret that is a number": utf8('{"v":1,"secrets":[{"secret":7}]}'),
  "a secret of nothing": utf8('{"v":1,"secrets":[{"secret":""}]}'),
  "a secret without its object": utf8('{"v":1,"secrets":["sesame"]}'),
  "a time as text": utf8('{"v":1,"secrets":[{"secret":"sesame","formerSince":"today"}]}'),
  "text in the place of bytes": "sesame",
  "an object in the place of bytes": { v: 1, secrets: [{ secret: "sesame" }] },
  "a later version": utf8('{"v":2,"secrets":{"sesame":"open"}}'),
};

for (const [what, value] of Object.entries(unreadable)) {
  Deno.test(`a store that holds ${what} is neither read nor written over`, () =>
    withMemoryKv(async (kv) => {
      await kv.set(keys.secrets(), value);
      const store = new KvSecrets(kv);
      for (const attempt of [() => store.load(), () => store.keep(KEPT)]) {
        const error = await assertRejects(attempt, Error, "Cannot read the former secrets");
        assertFalse(Deno.inspect(error).includes("sesame"));
      }
      assertEquals((await kv.get(keys.secrets())).value, value);
    }));
}

Deno.test("a later version is told by its number, and what to do", () =>
  withMemoryKv(async (kv) => {
    await kv.set(keys.secrets(), utf8('{"v":2}'));
    const load = () => new KvSecrets(kv).load();
    await assertRejects(
      load,
      Error,
      "schema 2: this version knows 1; start the version that wrote",
    );
  }));
