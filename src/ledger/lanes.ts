/**
 * Reads the work and its order: which lanes have unfinished exports, and which export is first in
 * each: the one that the lane's lease names, or else the one with the first place. An export that
 * is claimed as it is accepted gets a place only if it has to wait for another attempt.
 */
import type { Lease } from "../exports/record.ts";
import { keys } from "./keys.ts";
import type { Held } from "./ledger.ts";
import { decodeExport, decodeLease } from "./stored.ts";

/**
 * The oldest unfinished export of a lane, with the lane's lease.
 *
 * @throws if the lane names an export that does not exist: then the store is damaged
 */
export async function headOf(kv: Deno.Kv, lane: string): Promise<Held | undefined> {
  // Read before the places: the commit that releases a lease also adds the export's place.
  const { value, versionstamp } = await kv.get<Uint8Array>(keys.lease(lane));
  const lease = value === null ? undefined : decodeLease(value);
  const id = lease?.id ?? await firstPart(kv, { prefix: keys.places(lane) }, 3);
  return id === undefined ? undefined : await readHeld(kv, { id, lane, lease, versionstamp });
}

/** The oldest export in the lane behind the held one. */
export async function behindOf(
  kv: Deno.Kv,
  { record: { lane }, stored: { order } }: Held,
): Promise<Held | undefined> {
  const prefix = keys.places(lane);
  const selector = { start: [...prefix, order + 1], end: [...prefix, true] };
  const id = await firstPart(kv, selector, 3);
  const none = { lease: undefined, versionstamp: null };
  return id === undefined ? undefined : await readHeld(kv, { id, lane, ...none });
}

async function readHeld(
  kv: Deno.Kv,
  { id, lane, lease, versionstamp }: {
    readonly id: string;
    readonly lane: string;
    readonly lease: Lease | undefined;
    readonly versionstamp: string | null;
  },
): Promise<Held> {
  const entry = await kv.get<Uint8Array>(keys.export(id));
  if (entry.value === null) throw new Error(`Cannot read lane ${lane}: export ${id} is missing`);
  const { record, ...stored } = decodeExport(entry.value);
  const versions = { record: entry.versionstamp, lease: versionstamp };
  return { record, lease, stored: { ...stored, versions } };
}

/** Every lane with unfinished exports; takes one read per lane, however many exports it has. */
export async function* lanesOf(kv: Deno.Kv): AsyncGenerator<string> {
  const leased = new Set(await Array.fromAsync(leasesOf(kv), ({ lane }) => lane));
  yield* leased;
  const all = keys.places();
  // Booleans sort after all strings and numbers: `true` is past every key with this prefix.
  const end = [...all, true];
  let lane = await firstPart(kv, { start: [...all, ""], end }, 1);
  while (lane !== undefined) {
    if (!leased.has(lane)) yield lane;
    lane = await firstPart(kv, { start: [...all, lane, true], end }, 1);
  }
}

/** Every leased lane and the export that its lease names: only as many as are worked at once. */
export async function* leasesOf(
  kv: Deno.Kv,
): AsyncGenerator<{ readonly lane: string; readonly id: string }> {
  for await (const { key, value } of kv.list<Uint8Array>({ prefix: keys.leases() })) {
    yield { lane: String(key.at(-1)), id: decodeLease(value).id };
  }
}

/** Part `index` of the first key that `selector` finds. */
async function firstPart(
  kv: Deno.Kv,
  selector: Deno.KvListSelector,
  index: number,
): Promise<string | undefined> {
  for await (const { key } of kv.list(selector, { limit: 1 })) {
    const part = key[index];
    if (typeof part === "string") return part;
    throw new Error(`Cannot read key ${JSON.stringify(key)}: no text at ${index}`);
  }
  return undefined;
}
