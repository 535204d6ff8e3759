/**
 * Decides what to do at the head of a lane: with an export that waits, or with one whose last
 * attempt lapsed, so that its outcome is unknown. Pure, like `export.ts`.
 */
import { hash } from "node:crypto";
import { type Backoff, backoffMs, longestDelayMs } from "./backoff.ts";
import { type Change, factsOf, finish } from "./export.ts";
import { hostAndPathOf, type LedgerEntry } from "./ledger_entry.ts";
import type { Claimant, Delivering, ExportRecord, Finished, Lease, Pending } from "./record.ts";

/** What a claim depends on, besides the record and the lease. */
export interface TurnFacts {
  readonly now: number;
  readonly claimant: Claimant;
  readonly leaseMs: number;
  readonly backoff: Backoff;
  /** How long a finished export is kept for its owner, ms. */
  readonly retentionMs: number;
  /** Consecutive lapses of the export before it, if that one was given up because of them. */
  readonly lapsesBefore?: number;
}

/** What to do with the head of a lane. */
export type Turn =
  | { readonly kind: "claim"; readonly change: Change<Delivering> }
  /** The export behind it starts with its `lapses`: both go to the same destination. */
  | { readonly kind: "give_up"; readonly change: Change<Finished>; readonly lapses: number }
  /** Do nothing before `until`, ms since the epoch. */
  | { readonly kind: "wait"; readonly until: number }
  /** It was finished after it was looked up; whatever finished it has taken care of the lane. */
  | { readonly kind: "over" };

/** Up to this many consecutive lapses are put down to chance. */
const LAPSES_BY_CHANCE = 3;
/** At this many, an export past its give-up age is given up: five in a row cannot be chance. */
const LAPSES_MAX = 5;

/**
 * Decides what to do with the head of a lane. A lease from an earlier boot of the same instance is
 * void: its holder is gone, since an instance runs only once at a time.
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
  // Lapses inherited from the export before it count only up to its own number of attempts.
  return Math.min(lapses, record.attempts) >= LAPSES_MAX && facts.now >= record.giveUpAt
    ? { kind: "give_up", change: giveUp(record, facts), lapses }
    : { kind: "claim", change: claim(record, lapses, facts) };
}

/** Claims an export whose lane nobody holds for one attempt, if its turn has come. */
export function claimExport(
  record: ExportRecord,
  facts: TurnFacts,
): Change<Delivering> | undefined {
  const turn = turnOf(record, undefined, facts);
  return turn.kind === "claim" ? turn.change : undefined;
}

/** @param lapses consecutive attempts just before this one whose outcome is unknown */
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
 * After a kill, work resumes at once. But an attempt that may have ended the process itself must
 * not do so at every start: after too many lapses in a row the next one waits as after a failure.
 * Those that lapsed together do not return together, or one would keep cutting off the rest.
 */
function restUntil(
  { id, attempts }: Delivering,
  lease: Lease | undefined,
  lapses: number,
  { now, backoff }: TurnFacts,
): number {
  const rests = lapses - LAPSES_BY_CHANCE;
  if (lease?.since === undefined || rests <= 0) return now;
  // From the id, not by chance: the lane is looked at repeatedly, and must wait as long each time.
  const chance = hash("sha256", `${id} ${attempts}`, "buffer").readUInt32BE() / 2 ** 32;
  const until = lease.since + backoffMs(backoff, rests, chance);
  return isPlannedBefore(until, now, backoff) ? now : until;
}

/** Whether it may be tried now. */
function isDue({ attempts, dueAt }: Pending, { now, backoff }: TurnFacts): boolean {
  return attempts === 0 || dueAt <= now || isPlannedBefore(dueAt, now, backoff);
}

/** Whether `moment` is further off than any delay; then the clock has been put back since. */
function isPlannedBefore(moment: number, now: number, backoff: Backoff): boolean {
  return moment > now + longestDelayMs(backoff);
}

function isHeld(lease: Lease, { now, claimant, leaseMs }: TurnFacts): boolean {
  if (lease.until <= now) return false;
  if (lease.claimant.instance !== claimant.instance) return true;
  // Our own lease can end later than one taken now only if the clock was put back.
  return lease.claimant.boot === claimant.boot && lease.until <= now + leaseMs;
}
