/**
 * Whose turn it is at the head of a lane: an export that waits, or one whose attempt lapsed, of which
 * nobody knows how it ended. Pure, as `export.ts` is.
 */
import { hash } from "node:crypto";
import { type Backoff, backoffMs, longestDelayMs } from "./backoff.ts";
import { type Change, factsOf, finish } from "./export.ts";
import { hostAndPathOf, type LedgerEntry } from "./ledger_entry.ts";
import type { Claimant, Delivering, ExportRecord, Finished, Lease, Pending } from "./record.ts";

/** What a claim is judged by, besides the record and the lease. */
export interface TurnFacts {
  readonly now: number;
  readonly claimant: Claimant;
  readonly leaseMs: number;
  readonly backoff: Backoff;
  /** How long a finished export is kept for its owner, ms. */
  readonly retentionMs: number;
  /** Lapses in a row of the one that stood before it, where that was given up for them. */
  readonly lapsesBefore?: number;
}

/** What is to be done at the head of a lane. */
export type Turn =
  | { readonly kind: "claim"; readonly change: Change<Delivering> }
  /** The one behind it begins with its `lapses`: both go to the same destination. */
  | { readonly kind: "give_up"; readonly change: Change<Finished>; readonly lapses: number }
  /** Nothing before `until`, ms since the epoch. */
  | { readonly kind: "wait"; readonly until: number }
  /** It has been finished since it was looked up; whoever did that sees to the lane. */
  | { readonly kind: "over" };

/** Up to this many lapses in a row are put down to chance. */
const LAPSES_BY_CHANCE = 3;
/** From so many on, an export that is past its give-up age is given up: no chance brings about five. */
const LAPSES_MAX = 5;

/**
 * Judges the head of a lane. A lease of an earlier boot of the same instance is void: its holder is
 * gone, for one instance runs once at a time.
 */
export function turnOf(record: ExportRecord, lease: Lease | undefined, facts: TurnFacts): Turn {
  if (record.state === "finished") return { kind: "over" };
  if (lease !== undefined && isHeld(lease, facts)) return { kind: "wait", until: lease.until };
  if (record.state === "pending") {
    return isDue(record, facts)
      ? { kind: "claim", change: claim(record, facts.lapsesBefore ?? 0, facts) }
      : { kind: "wait", until: record.dueAt };
  }
  const lapses = 1 + (lease?.lapses ?? 0);
  const until = restUntil(record, lease, lapses, facts);
  if (until > facts.now) return { kind: "wait", until };
  // One that began with the lapses of the one before it has as many attempts of its own.
  return Math.min(lapses, record.attempts) >= LAPSES_MAX && facts.now >= record.giveUpAt
    ? { kind: "give_up", change: giveUp(record, facts), lapses }
    : { kind: "claim", change: claim(record, lapses, facts) };
}

/** Claims the export at the head of its lane for one attempt, if it is its turn. */
export function claimExport(
  record: ExportRecord,
  lease: Lease | undefined,
  facts: TurnFacts,
): Change<Delivering> | undefined {
  const turn = turnOf(record, lease, facts);
  return turn.kind === "claim" ? turn.change : undefined;
}

/** @param lapses attempts in a row, up to this one, of which nobody knows how they ended */
function claim(
  record: Pending | Delivering,
  lapses: number,
  { now, claimant, leaseMs }: TurnFacts,
): Change<Delivering> {
  const { id, uri, payload } = record;
  const attempt = record.attempts + 1;
  const lapsed: LedgerEntry[] = record.state === "delivering" ? [lapseOf(record, now)] : [];
  return {
    record: { ...factsOf(record), attempts: attempt, state: "delivering" },
    lease: { id, claimant, since: now, until: now + leaseMs, ...(lapses > 0 && { lapses }) },
    entries: [
      ...lapsed,
      { kind: "attempt.started", at: now, id, attempt, ...payload, ...hostAndPathOf(uri) },
    ],
  };
}

function giveUp(record: Delivering, facts: TurnFacts): Change<Finished> {
  return {
    record: finish(record, { kind: "failed", code: "interrupted" }, facts),
    entries: [{ ...lapseOf(record, facts.now), next: "finished" }],
  };
}

function lapseOf({ id, attempts: attempt }: Delivering, at: number) {
  return { kind: "attempt.lapsed", at, id, attempt } as const;
}

/**
 * After a kill work goes on at once. But an attempt that may have ended the process itself must not do
 * so at every start: after too many lapses in a row the next one waits as after a failure. Those that
 * lapsed together do not come back together, or one of them would go on cutting off the others.
 */
function restUntil(
  { id, attempts }: Delivering,
  lease: Lease | undefined,
  lapses: number,
  { now, backoff }: TurnFacts,
): number {
  const rests = lapses - LAPSES_BY_CHANCE;
  if (lease?.since === undefined || rests <= 0) return now;
  // By the id, not by chance: the lane is looked at again and again, and must rest as long each time.
  const chance = hash("sha256", `${id} ${attempts}`, "buffer").readUInt32BE() / 2 ** 32;
  const until = lease.since + backoffMs(backoff, rests, chance);
  return isPlannedBefore(until, now, backoff) ? now : until;
}

/** Whether it may be tried now. */
function isDue({ attempts, dueAt }: Pending, { now, backoff }: TurnFacts): boolean {
  return attempts === 0 || dueAt <= now || isPlannedBefore(dueAt, now, backoff);
}

/** A moment further off than the longest delay was planned by a clock that has since been put back. */
function isPlannedBefore(moment: number, now: number, backoff: Backoff): boolean {
  return moment > now + longestDelayMs(backoff);
}

function isHeld(lease: Lease, { now, claimant, leaseMs }: TurnFacts): boolean {
  if (lease.until <= now) return false;
  if (lease.claimant.instance !== claimant.instance) return true;
  // Our own lease ends later than any that we could take now only if the clock was put back.
  return lease.claimant.boot === claimant.boot && lease.until <= now + leaseMs;
}
