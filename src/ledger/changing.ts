/** What a change of a lane's head commits, and the claim of the one behind it if it comes along. Pure. */
import { type Change, wakeUpAt } from "../exports/export.ts";
import type { ExportRecord } from "../exports/record.ts";
import type { finishing } from "./finish.ts";
import type { Batch } from "./batch.ts";
import { keys } from "./keys.ts";
import type { Follower, Held } from "./ledger.ts";
import { encodeExport, encodeLease } from "./stored.ts";

/** What finishing adds to a change; nothing, if it does not finish. */
type Finish = Awaited<ReturnType<typeof finishing>> | typeof UNFINISHED;

export const UNFINISHED = { sets: [], deletes: [], expiry: {} } as const;

/**
 * The commit that changes what is held as `change` says.
 *
 * @param more.isLast nothing stands behind it, so that nobody need look at the lane
 */
export function changeOf(
  { versions }: Held,
  change: Change,
  { finish, follower, isLast }: {
    readonly finish: Finish;
    readonly follower: Follower | undefined;
    readonly isLast: boolean;
  },
): Batch {
  const { record, entries } = change;
  const { id, lane } = record;
  const leaseKey = keys.lease(lane);
  const { lease } = follower?.claim ?? change;
  const wakeUp = { lane, at: wakeUpAt(follower?.claim ?? change) };
  const next = follower && {
    key: keys.export(follower.held.record.id),
    value: encodeExport(follower.held.versions.order, follower.claim.record),
    versionstamp: follower.held.versions.record,
  };
  return {
    checks: [
      { key: keys.export(id), versionstamp: versions.record },
      { key: leaseKey, versionstamp: versions.lease },
      ...next === undefined ? [] : [{ key: next.key, versionstamp: next.versionstamp }],
    ],
    sets: [
      { key: keys.export(id), value: encodeExport(versions.order, record), ...finish.expiry },
      ...lease === undefined ? [] : [{ key: leaseKey, value: encodeLease(lease) }],
      ...next === undefined ? [] : [{ key: next.key, value: next.value }],
      ...finish.sets,
    ],
    deletes: [...lease === undefined ? [leaseKey] : [], ...finish.deletes],
    entries: [...entries, ...follower?.claim.entries ?? []],
    wakeUps: isLast ? [] : [wakeUp],
  };
}

/** What is held once a change at that place has been committed with the versionstamp `committed`. */
export function heldAfter<R extends ExportRecord>(
  { record, lease }: Change<R>,
  order: number,
  committed: string,
): Held<R> {
  const versions = { record: committed, lease: lease === undefined ? null : committed, order };
  return { record, lease, versions };
}
