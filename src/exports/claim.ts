/**
 * Who may deliver the head of a lane, and when: an export that waits, or one whose attempt lapsed, for
 * nobody knows how that ended. Pure, as `export.ts` is.
 */
import { type Backoff, backoffMs, longestDelayMs } from "./backoff.ts";
import { AT_ONCE, type Change, factsOf } from "./export.ts";
import { hostAndPathOf, type LedgerEntry } from "./ledger_entry.ts";
import type { Claimant, Delivering, ExportRecord, Finished, Lease, Pending } from "./record.ts";

/** What a claim is judged by, besides the record and the lease. */
export interface ClaimFacts {
  readonly now: number;
  readonly claimant: Claimant;
  readonly leaseMs: number;
  readonly backoff: Backoff;
}

/**
 * Claims the export at the head of its lane for one attempt, or declines with `undefined`: not due,
 * leased to somebody else, or finished. A lease of an earlier boot of the same instance is void: its
 * holder is gone, for one instance runs once at a time.
 */
export function claimExport(
  record: ExportRecord,
  lease: Lease | undefined,
  facts: ClaimFacts,
): Change<Delivering> | undefined {
  const { now, claimant } = facts;
  if (record.state === "finished" || claimableAt(record, lease, facts) > now) return undefined;
  const { id, uri, payload } = record;
  const attempt = record.attempts + 1;
  const until = now + facts.leaseMs;
  const started: LedgerEntry = {
    ...{ kind: "attempt.started", at: now, id, attempt },
    ...payload,
    ...hostAndPathOf(uri),
  };
  const claim = { ...factsOf(record), attempts: attempt, state: "delivering" } as const;
  if (record.state === "pending") {
    return { record: claim, lease: { id, attempt, claimant, until }, entries: [started] };
  }
  return {
    record: claim,
    lease: { id, attempt, claimant, until, lapses: lapsesOf(lease) },
    entries: [{ kind: "attempt.lapsed", at: now, id, attempt: record.attempts }, started],
  };
}

/** When the export at the head of its lane may be claimed; {@link AT_ONCE} if it may be now. */
export function claimableAt(
  record: ExportRecord,
  lease: Lease | undefined,
  facts: ClaimFacts,
): number {
  if (lease !== undefined && isHeld(lease, facts)) return lease.until;
  switch (record.state) {
    case "pending":
      return isDue(record, facts) ? AT_ONCE : record.dueAt;
    case "delivering":
      return dueAfterLapse(lease, facts);
    case "finished":
      return AT_ONCE;
  }
}

/**
 * Whether it may be tried now. A moment further off than the longest delay counts as due: it was
 * planned by a clock that has since been put back.
 */
function isDue({ attempts, dueAt }: Pending, { now, backoff }: ClaimFacts): boolean {
  return attempts === 0 || dueAt <= now || dueAt > now + longestDelayMs(backoff);
}

/**
 * After a kill work goes on at once. But an attempt that may have ended the process itself must not do
 * so at every start: after too many lapses in a row the next one waits as after a failure.
 */
function dueAfterLapse(lease: Lease | undefined, { now, leaseMs, backoff }: ClaimFacts): number {
  const failures = lapsesOf(lease) - LAPSES_AT_ONCE;
  if (lease === undefined || failures <= 0) return AT_ONCE;
  const beganAt = lease.until - leaseMs;
  const dueAt = beganAt + backoffMs(backoff, failures, NO_JITTER);
  // Began later than now: the clock was put back.
  return beganAt > now || dueAt <= now ? AT_ONCE : dueAt;
}

const NO_JITTER = 0.5;
/** So often one export may be in the way of a kill by chance. */
const LAPSES_AT_ONCE = 3;

/** How many attempts in a row have lapsed, now that the one of this lease has. */
function lapsesOf(lease: Lease | undefined): number {
  return 1 + (lease?.lapses ?? 0);
}

function isHeld(lease: Lease, { now, claimant, leaseMs }: ClaimFacts): boolean {
  if (lease.until <= now) return false;
  if (lease.claimant.instance !== claimant.instance) return true;
  // Our own lease ends later than any that we could take now only if the clock was put back.
  return lease.claimant.boot === claimant.boot && lease.until <= now + leaseMs;
}

/**
 * Ends an export that has come to its give-up age and has lapsed `lapsesMax` times in a row, or
 * declines with `undefined`. One that lapsed less often may have been in the way of a kill by chance.
 */
export function endLapsed(
  record: ExportRecord,
  lease: Lease | undefined,
  facts: ClaimFacts & { readonly lapsesMax: number; readonly retentionMs: number },
): Change<Finished> | undefined {
  const { now, lapsesMax, retentionMs } = facts;
  if (record.state !== "delivering" || lease === undefined || isHeld(lease, facts)) {
    return undefined;
  }
  if (now < record.giveUpAt || lapsesOf(lease) < lapsesMax) return undefined;
  const { id, attempts: attempt } = record;
  return {
    record: {
      ...factsOf(record),
      state: "finished",
      finishedAt: now,
      expiresAt: now + retentionMs,
      result: { kind: "failed", code: "interrupted" },
    },
    entries: [{ kind: "attempt.lapsed", at: now, id, attempt, next: "finished" }],
  };
}
