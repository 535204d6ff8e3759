/**
 * Accepting an export: the record, its payload, and its place in its lane or its claim, all in one
 * commit. Never decides whether to.
 */
import { type Change, wakeUpAt } from "../exports/export.ts";
import type { Delivering, Pending } from "../exports/record.ts";
import { PARTS_IN_COMMIT } from "../limits.ts";
import type { Batch } from "./batch.ts";
import { keys } from "./keys.ts";
import { setsOf } from "./layout.ts";
import type { Layout } from "./ledger.ts";
import { stage } from "./staging.ts";
import { encodeLease } from "./stored.ts";

/**
 * The commit that accepts `change`, and claims it by `claim`. Whoever may hold the lane's lease
 * already makes it fail.
 *
 * @param layout its place, later than any handed out before, and the beginning of its payload
 * @param more what the size of the payload and the client's key add
 */
export function acceptanceOf(
  change: Change<Pending>,
  { claim, layout, more }: {
    readonly claim: Change<Delivering> | undefined;
    readonly layout: Layout;
    readonly more: readonly Batch[];
  },
): Batch {
  const { id, lane } = change.record;
  const leaseKey = keys.lease(lane);
  const { record, lease } = claim ?? change;
  return {
    checks: [
      { key: keys.export(id), versionstamp: null },
      ...claim === undefined ? [] : [{ key: leaseKey, versionstamp: null }],
      ...more.flatMap(({ checks = [] }) => checks),
    ],
    sets: [
      ...setsOf(record, layout),
      ...lease === undefined ? [] : [{ key: leaseKey, value: encodeLease(lease) }],
      ...more.flatMap(({ sets = [] }) => sets),
    ],
    deletes: more.flatMap(({ deletes = [] }) => deletes),
    entries: [...change.entries, ...claim?.entries ?? []],
    wakeUps: [{ lane, at: wakeUpAt(claim ?? change) }],
    order: layout.order,
  };
}

/** An acceptance as it goes to be committed; decided no sooner, since others come to the lane too. */
export interface Planned {
  /** The commit that accepts, with what the payload and the client's key add. */
  readonly batch: Batch;
  readonly layout: Layout;
  /** Given where nothing stands before it in its lane. */
  readonly claim: Change<Delivering> | undefined;
  /** The place before it in its lane, if that is known. */
  readonly before: number | undefined;
}

/** What the accepting commit does with a payload's parts; those of a large one are staged first. */
export async function bring(
  kv: Deno.Kv,
  id: string,
  parts: readonly Uint8Array[],
  now: number,
): Promise<Batch> {
  if (parts.length <= PARTS_IN_COMMIT) {
    return { sets: parts.map((value, n) => ({ key: keys.payload(id, n), value })) };
  }
  const marker = await stage(kv, id, parts, now);
  return { checks: [marker], deletes: [marker.key] };
}
