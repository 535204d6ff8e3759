/**
 * The commit that changes a lane's head: a claim, or a settlement and the claim of the export
 * behind it. What is finished has its answer kept for a time, and gives up its place and payload.
 */
import { type Change, wakeUpAt } from "../exports/export.ts";
import type { Finished } from "../exports/record.ts";
import { PARTS_IN_COMMIT } from "../limits.ts";
import type { Batch } from "./batch.ts";
import { keys } from "./keys.ts";
import { type Kept, setsOf } from "./layout.ts";
import type { Follower, Held } from "./ledger.ts";
import { cut } from "./parts.ts";
import { writeParts } from "./staging.ts";
import { encodeLease, type Layout } from "./stored.ts";

/** What a settlement that finishes its export adds to its commit. */
export interface Finish {
  readonly kept: Kept;
  readonly sets: NonNullable<Batch["sets"]>;
  readonly deletes: readonly Deno.KvKey[];
}

/**
 * Writes a large answer; everything else is left to the commit.
 *
 * @param stored how the export was stored so far
 * @param spreadMs how much longer than its retention it is kept
 */
export async function finishing(
  kv: Deno.Kv,
  record: Finished,
  { stored, answer, spreadMs }: {
    readonly stored: Layout;
    readonly answer: Uint8Array;
    readonly spreadMs: number;
  },
): Promise<Finish> {
  const { id, lane, attempts } = record;
  const { order, hasPlace, parts: payloadParts } = stored;
  const expireIn = record.expiresAt - record.finishedAt + spreadMs;
  const pieces = cut(answer, record);
  const parts = pieces.parts.map((value, n) => ({
    key: keys.answer(id, attempts, n),
    value,
    expireIn,
  }));
  const isLarge = parts.length > PARTS_IN_COMMIT;
  // An answer that is written but never settled is removed when it expires.
  if (isLarge) await writeParts(kv, parts);
  return {
    kept: { answer: pieces, expireIn },
    sets: isLarge ? [] : parts,
    deletes: [
      ...hasPlace ? [keys.place(lane, order, id)] : [],
      ...Array.from({ length: payloadParts }, (_, n) => keys.payload(id, n)),
    ],
  };
}

/**
 * The commit that applies `change` to the held export.
 *
 * @param more.isLast nothing is behind it, so that the lane needs no wake-up
 */
export function changeOf(
  held: Held,
  change: Change,
  { finish, follower, isLast = false }: {
    readonly finish?: Finish | undefined;
    readonly follower?: Follower | undefined;
    readonly isLast?: boolean;
  } = {},
): Batch {
  const { record, entries } = change;
  const { lane } = record;
  const leaseKey = keys.lease(lane);
  const { lease } = follower?.claim ?? change;
  const wakeUp = { lane, at: wakeUpAt(follower?.claim ?? change) };
  return {
    checks: [
      checkOf(held),
      { key: leaseKey, versionstamp: held.stored.versions.lease },
      ...follower === undefined ? [] : [checkOf(follower.held)],
    ],
    sets: [
      ...setsOf(record, held.stored, finish?.kept),
      ...lease === undefined ? [] : [{ key: leaseKey, value: encodeLease(lease) }],
      ...follower === undefined ? [] : setsOf(follower.claim.record, follower.held.stored),
      ...finish?.sets ?? [],
    ],
    deletes: [...lease === undefined ? [leaseKey] : [], ...finish?.deletes ?? []],
    entries: [...entries, ...follower?.claim.entries ?? []],
    wakeUps: isLast ? [] : [wakeUp],
  };
}

function checkOf({ record, stored }: Held): Deno.AtomicCheck {
  return { key: keys.export(record.id), versionstamp: stored.versions.record };
}
