/**
 * How an export may change: acceptance and settlement; `claim.ts` has what comes between. Pure:
 * time, chance and ids are arguments; knows no store, no network, no HTTP.
 */
import { hash } from "node:crypto";
import { type Backoff, backoffMs } from "./backoff.ts";
import { FAILURES } from "./failure.ts";
import { hostAndPathOf, type LedgerEntry } from "./ledger_entry.ts";
import type {
  Delivering,
  ExportRecord,
  Facts,
  Finished,
  Lease,
  Outcome,
  Pending,
  Result,
} from "./record.ts";

/** A new state and everything that must be committed with it. */
export interface Change<R extends ExportRecord = ExportRecord> {
  readonly record: R;
  /** The lane's lease from now on; absent if nobody holds it. */
  readonly lease?: Lease;
  readonly entries: readonly LedgerEntry[];
}

/** The lane of an owner's exports to a destination, as a key of 22 characters. */
export function laneOf(owner: string, uri: string): string {
  return hash("sha256", `${owner}\n${uri}`, "base64url").slice(0, 22);
}

/** Accepts an export: pending, due at once. */
export function acceptExport(
  request: { readonly owner: string; readonly uri: string; readonly payload: Uint8Array },
  facts: { readonly id: string; readonly now: number; readonly giveUpAfterMs: number },
): Change<Pending> {
  const { owner, uri } = request;
  const { id, now } = facts;
  const payload = {
    bytes: request.payload.byteLength,
    sha256: hash("sha256", request.payload),
  };
  return {
    record: {
      id,
      owner,
      uri,
      lane: laneOf(owner, uri),
      payload,
      acceptedAt: now,
      giveUpAt: now + facts.giveUpAfterMs,
      attempts: 0,
      state: "pending",
      dueAt: now,
    },
    entries: [{ kind: "export.accepted", at: now, id, owner, ...payload, ...hostAndPathOf(uri) }],
  };
}

/** How results are kept and failures retried. */
export interface SettlePolicy {
  readonly backoff: Backoff;
  /** An answer with one of these statuses is retried instead of finishing the export. */
  readonly retryStatuses: readonly number[];
  /** The longest wait that a destination may ask for. */
  readonly retryAfterMaxMs: number;
  /** How long a finished export is kept for its owner, ms. */
  readonly retentionMs: number;
}

/**
 * Records the outcome of the running attempt and decides the next state. An answer finishes the
 * export, unless its status is to be retried; such answers, and failures that are not final, are
 * retried with backoff until the give-up age, when one last attempt is made.
 *
 * @param facts.chance uniform in [0, 1), for the jitter
 */
export function settleExport(
  record: Delivering,
  outcome: Outcome,
  policy: SettlePolicy,
  facts: { readonly now: number; readonly chance: number },
): Change<Pending | Finished> {
  const { now } = facts;
  const dueAt = nextAttemptAt(record, outcome, policy, facts);
  const next: Pending | Finished = dueAt === undefined
    ? finish(record, resultOf(outcome), { now, retentionMs: policy.retentionMs })
    : { ...factsOf(record), state: "pending", dueAt };
  return { record: next, entries: [attemptEnded(record, outcome, now, dueAt)] };
}

function nextAttemptAt(
  record: Delivering,
  outcome: Outcome,
  policy: SettlePolicy,
  { now, chance }: { readonly now: number; readonly chance: number },
): number | undefined {
  if (isFinal(outcome, policy) || now >= record.giveUpAt) return undefined;
  const usualMs = backoffMs(policy.backoff, record.attempts, chance);
  const delayMs = Math.max(usualMs, askedFor(outcome, policy) ?? 0);
  return Math.min(now + delayMs, record.giveUpAt);
}

function isFinal(outcome: Outcome, { retryStatuses }: SettlePolicy): boolean {
  return outcome.kind === "answered"
    ? !retryStatuses.includes(outcome.status)
    : FAILURES[outcome.code].final;
}

/** The wait that the destination asks for, within bounds. */
function askedFor(outcome: Outcome, policy: SettlePolicy): number | undefined {
  if (outcome.kind === "failed" || outcome.retryAfterMs === undefined) return undefined;
  return Math.min(outcome.retryAfterMs, policy.retryAfterMaxMs);
}

function resultOf(outcome: Outcome): Result {
  if (outcome.kind === "answered") {
    const { kind, status, truncated, answerBytes } = outcome;
    return { kind, status, truncated, answerBytes };
  }
  const { code, rule } = outcome;
  return { kind: "failed", code, ...(rule !== undefined && { rule }) };
}

function attemptEnded(
  { id, attempts }: Delivering,
  outcome: Outcome,
  at: number,
  dueAt: number | undefined,
): LedgerEntry {
  const { ms, address, firstSentTo } = outcome;
  return {
    kind: "attempt.ended",
    at,
    id,
    attempt: attempts,
    ms,
    ...(address !== undefined && { address }),
    ...(firstSentTo !== undefined && { firstSentTo }),
    ...(outcome.kind === "answered"
      ? { outcome: "answered", status: outcome.status, answerBytes: outcome.answerBytes }
      : {
        outcome: outcome.code,
        ...(outcome.rule !== undefined && { rule: outcome.rule }),
        ...(outcome.unsent && { unsent: true }),
      }),
    ...(dueAt === undefined ? { next: "finished" } : { next: "retry", dueAt }),
  };
}

/** The record of an export that ends with `result`. */
export function finish(
  record: Delivering,
  result: Result,
  { now, retentionMs }: { readonly now: number; readonly retentionMs: number },
): Finished {
  return {
    ...factsOf(record),
    state: "finished",
    finishedAt: now,
    expiresAt: now + retentionMs,
    result,
  };
}

/**
 * The same change with its retention starting at `now`, when it is finally written: the store may
 * have been unavailable for longer than the retention.
 */
export function keptFrom<R extends ExportRecord>(
  change: Change<R>,
  { now, retentionMs }: { readonly now: number; readonly retentionMs: number },
): Change<R> {
  const { record } = change;
  if (record.state !== "finished" || now <= record.finishedAt) return change;
  return { ...change, record: { ...record, finishedAt: now, expiresAt: now + retentionMs } };
}

/** What stays the same in the next state. */
export function factsOf(
  { id, owner, uri, lane, payload, acceptedAt, giveUpAt, attempts }: Facts,
): Facts {
  return { id, owner, uri, lane, payload, acceptedAt, giveUpAt, attempts };
}

/** A moment in the past by every clock, even one that was put back. */
export const AT_ONCE = 0;

/**
 * When the lane of a changed export must be looked at again: at its next attempt, at the end of
 * its lease, or at once, for the export itself or for the one behind it.
 */
export function wakeUpAt(
  { record, lease }: { readonly record: ExportRecord; readonly lease?: Lease | undefined },
): number {
  if (record.state === "delivering") return lease?.until ?? AT_ONCE;
  return record.state === "pending" && record.attempts > 0 ? record.dueAt : AT_ONCE;
}
