/** The commit that changes a lane's head and, optionally, claims the export behind it. Pure. */
import { type Change, wakeUpAt } from "../exports/export.ts";
import type { finishing } from "./finish.ts";
import type { Batch } from "./batch.ts";
import { keys } from "./keys.ts";
import { setsOf } from "./layout.ts";
import type { Follower, Held } from "./ledger.ts";
import { encodeLease } from "./stored.ts";

/** What finishing adds to a change, or {@link UNFINISHED} if it does not finish. */
type Finish = Awaited<ReturnType<typeof finishing>> | typeof UNFINISHED;

export const UNFINISHED = { kept: undefined, sets: [], deletes: [] } as const;

/**
 * The commit that applies `change` to the held export.
 *
 * @param more.isLast nothing is behind it, so that the lane needs no wake-up
 */
export function changeOf(
  held: Held,
  change: Change,
  { finish, follower, isLast }: {
    readonly finish: Finish;
    readonly follower: Follower | undefined;
    readonly isLast: boolean;
  },
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
      ...setsOf(record, held.stored, finish.kept),
      ...lease === undefined ? [] : [{ key: leaseKey, value: encodeLease(lease) }],
      ...follower === undefined ? [] : setsOf(follower.claim.record, follower.held.stored),
      ...finish.sets,
    ],
    deletes: [...lease === undefined ? [leaseKey] : [], ...finish.deletes],
    entries: [...entries, ...follower?.claim.entries ?? []],
    wakeUps: isLast ? [] : [wakeUp],
  };
}

function checkOf({ record, stored }: Held): Deno.AtomicCheck {
  return { key: keys.export(record.id), versionstamp: stored.versions.record };
}
