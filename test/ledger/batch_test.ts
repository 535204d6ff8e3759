/** What a commit takes, as it is reckoned and as Deno KV counts it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Batch, sizeOf } from "../../src/ledger/batch.ts";

/** Deno KV's limit of what one commit writes. */
const KV_COMMIT_BYTES_MAX = 819_200;

/** Twelve values as long as KV permits, and so many keys besides of 1,000 bytes, which is how they are reckoned. */
function batchWith(longKeys: number): Required<Pick<Batch, "sets">> {
  const sets = (count: number, name: string, bytes: number) =>
    Array.from({ length: count }, (_, n) => ({ key: [name, n], value: new Uint8Array(bytes) }));
  return { sets: [...sets(12, "value", 65_536), ...sets(longKeys, "語".repeat(333), 0)] };
}

async function commit(kv: Deno.Kv, { sets }: Required<Pick<Batch, "sets">>): Promise<void> {
  const operation = kv.atomic();
  for (const { key, value } of sets) operation.set(key, value);
  await operation.commit();
}

Deno.test("what is too much for KV is reckoned as too much: it counts a key that is set twice", async () => {
  using kv = await Deno.openKv(":memory:");
  const [fits, tooMuch] = [batchWith(15), batchWith(17)];
  await commit(kv, fits);
  await assertRejects(() => commit(kv, tooMuch), TypeError, `max ${KV_COMMIT_BYTES_MAX} bytes`);
  const { bytes, keyBytes } = sizeOf(tooMuch);
  assert(bytes > KV_COMMIT_BYTES_MAX, `${bytes} bytes`);
  assert(bytes - keyBytes < KV_COMMIT_BYTES_MAX, "it is the second time that makes it too much");
});

Deno.test("what is only deleted takes its key once", () => {
  const keys = [["a"], ["b", 1]];
  const sets = keys.map((key) => ({ key, value: new Uint8Array(10) }));
  const [set, deleted] = [sizeOf({ sets }), sizeOf({ deletes: keys })];
  assertEquals(set.bytes, 2 * deleted.bytes + 20);
});
