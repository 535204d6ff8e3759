/**
 * Large payloads do not fit in the commit that accepts them, and are written before it. A marker
 * says that they are not accepted yet; the accepting commit removes it, and only if it is
 * unchanged. Payloads that were never accepted are found by their markers and removed.
 */
import { PART_BYTES, STAGING_MAX_MS } from "../limits.ts";
import { COMMIT_BYTES_MAX } from "./store_limits.ts";
import { keys } from "./keys.ts";

interface Marker {
  readonly at: number;
  readonly parts: number;
}

/** Parts per commit while staging. */
const PARTS_PER_COMMIT = Math.floor(COMMIT_BYTES_MAX / PART_BYTES) - 1;

/** Writes the marker and all parts; the accepting commit must check what it returns. */
export async function stage(
  kv: Deno.Kv,
  id: string,
  parts: readonly Uint8Array[],
  now: number,
): Promise<Deno.AtomicCheck> {
  const key = keys.staged(id);
  const marker: Marker = { at: now, parts: parts.length };
  const { versionstamp } = await kv.set(key, marker);
  const untouched = { key, versionstamp };
  // Checks the marker: parts written after a sweep had removed it would never be found.
  await writeParts(kv, parts.map((value, n) => ({ key: keys.payload(id, n), value })), untouched);
  return untouched;
}

/**
 * Writes parts that are too many for one commit.
 *
 * @throws if a key in `checks` has changed
 */
export async function writeParts(
  kv: Deno.Kv,
  parts: readonly { key: Deno.KvKey; value: Uint8Array; expireIn?: number }[],
  ...checks: readonly Deno.AtomicCheck[]
): Promise<void> {
  for (let first = 0; first < parts.length; first += PARTS_PER_COMMIT) {
    const commit = kv.atomic().check(...checks);
    for (const { key, value, expireIn } of parts.slice(first, first + PARTS_PER_COMMIT)) {
      commit.set(key, value, expireIn === undefined ? {} : { expireIn });
    }
    const { ok } = await commit.commit();
    if (!ok) throw new Error("Cannot write parts: what they belong to was changed");
  }
}

/** Removes what was staged for `id`, unless it has been accepted. */
export async function abandon(kv: Deno.Kv, id: string): Promise<void> {
  const key = keys.staged(id);
  const { value, versionstamp } = await kv.get<Marker>(key);
  if (value === null) return;
  // An acceptance checks the marker too: one of the two fails.
  const removal = kv.atomic().check({ key, versionstamp }).delete(key);
  for (let n = 0; n < value.parts; n++) removal.delete(keys.payload(id, n));
  await removal.commit();
}

/**
 * Removes what was never accepted and was staged longer than {@link STAGING_MAX_MS} before `now`,
 * or as long after it: then the clock has been put back.
 */
export async function sweepStaged(kv: Deno.Kv, now: number): Promise<number> {
  let removed = 0;
  for await (const { key, value } of kv.list<Marker>({ prefix: keys.stagings() })) {
    const id = key.at(-1);
    if (typeof id !== "string" || Math.abs(now - value.at) <= STAGING_MAX_MS) continue;
    await abandon(kv, id);
    removed++;
  }
  return removed;
}
