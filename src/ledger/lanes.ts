/** Reads the work and its order: which lanes have unfinished exports, and which one is first. */
import { keys } from "./keys.ts";
import type { Held } from "./ledger.ts";
import { decodeExport, decodeLease } from "./stored.ts";

/**
 * The oldest unfinished export of a lane, with the lane's lease; with `after`, the oldest of those
 * behind that place.
 *
 * @throws if the lane names an export that is not there: the store is damaged then
 */
export async function headOf(
  kv: Deno.Kv,
  lane: string,
  after?: number,
): Promise<Held | undefined> {
  const prefix = keys.lanes(lane);
  const selector = after === undefined
    ? { prefix }
    : { start: [...prefix, after + 1], end: [...prefix, true] };
  const id = await firstPart(kv, selector, 3);
  if (id === undefined) return undefined;
  const [stored, lease] = await kv.getMany<[Uint8Array, Uint8Array]>([
    keys.export(id),
    keys.lease(lane),
  ]);
  if (stored.value === null) throw new Error(`Cannot read lane ${lane}: export ${id} is missing`);
  const { order, record } = decodeExport(stored.value);
  return {
    record,
    lease: lease.value === null ? undefined : decodeLease(lease.value),
    versions: { record: stored.versionstamp, lease: lease.versionstamp, order },
  };
}

/** Every lane with unfinished exports; one read a lane, however many exports stand in it. */
export async function* lanesOf(kv: Deno.Kv): AsyncGenerator<string> {
  const all = keys.lanes();
  // A boolean sorts behind every text and number: `true` is past everything that has this prefix.
  const end = [...all, true];
  let lane = await firstPart(kv, { start: [...all, ""], end }, 1);
  while (lane !== undefined) {
    yield lane;
    lane = await firstPart(kv, { start: [...all, lane, true], end }, 1);
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
