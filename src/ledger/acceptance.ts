/**
 * Accepts an export in one commit: the record, its payload, and its place in the lane or its claim.
 * Never decides whether to accept.
 */
import { type Change, wakeUpAt } from "../exports/export.ts";
import type { Delivering, Pending } from "../exports/record.ts";
import { PARTS_IN_COMMIT } from "../limits.ts";
import type { Batch } from "./batch.ts";
import { keys } from "./keys.ts";
import { setsOf } from "./layout.ts";
import { stage } from "./staging.ts";
import { encodeLease, type Layout } from "./stored.ts";

/**
 * The commit that accepts `change`, and claims it with `claim` if given. A claim makes the commit
 * fail if the lane already has a lease.
 *
 * @param layout its place, later than any handed out before, and the first bytes of its payload
 * @param more what the payload's parts and the client's key add
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

/** What the accepting commit does with a payload's parts; a large payload is staged first. */
export async function payloadBatch(
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
