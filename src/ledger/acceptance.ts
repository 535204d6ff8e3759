/**
 * Accepting an export: the record, its payload, and its place in its lane or its claim, all in one
 * commit. Never decides whether to.
 */
import { type Change, wakeUpAt } from "../exports/export.ts";
import type { Delivering, Pending } from "../exports/record.ts";
import { PARTS_IN_COMMIT } from "../limits.ts";
import type { Batch } from "./batch.ts";
import type { Committed, GroupCommit } from "./group_commit.ts";
import { keys } from "./keys.ts";
import { setsOf } from "./layout.ts";
import type { Layout } from "./ledger.ts";
import { abandon, stage } from "./staging.ts";
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
    readonly more: Batch;
  },
): Batch {
  const { id, lane } = change.record;
  const leaseKey = keys.lease(lane);
  const { record, lease } = claim ?? change;
  return {
    checks: [
      { key: keys.export(id), versionstamp: null },
      ...claim === undefined ? [] : [{ key: leaseKey, versionstamp: null }],
      ...more.checks ?? [],
    ],
    sets: [
      ...setsOf(record, layout),
      ...lease === undefined ? [] : [{ key: leaseKey, value: encodeLease(lease) }],
      ...more.sets ?? [],
    ],
    deletes: more.deletes ?? [],
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

/** Commits an acceptance with the parts of its payload; those of a large one are staged before. */
export async function commitAcceptance(
  { kv, commits, now }: {
    readonly kv: Deno.Kv;
    readonly commits: GroupCommit;
    readonly now: number;
  },
  { id, parts, key, plan }: {
    readonly id: string;
    readonly parts: readonly Uint8Array[];
    /** What the client's key adds. */
    readonly key: Required<Pick<Batch, "checks" | "sets">>;
    readonly plan: (more: Batch) => Planned;
  },
): Promise<Planned & { readonly committed: Committed }> {
  const commit = async (more: Batch) => {
    const planned = plan(more);
    return { ...planned, committed: await commits.commit(planned.batch) };
  };
  if (parts.length <= PARTS_IN_COMMIT) {
    const payload = parts.map((value, n) => ({ key: keys.payload(id, n), value }));
    return await commit({ checks: key.checks, sets: [...payload, ...key.sets] });
  }
  let committed: Committed;
  try {
    const marker = await stage(kv, id, parts, now);
    const accepted = await commit({
      checks: [marker, ...key.checks],
      sets: key.sets,
      deletes: [marker.key],
    });
    ({ committed } = accepted);
    return accepted;
  } finally {
    // What was accepted has no marker any more, and is left alone.
    if (committed === undefined) await abandon(kv, id).catch(() => {});
  }
}
