/**
 * What a hand (a worker slot) does with a claimed export: attempt → settle, then the same with the
 * export behind it, claimed in the commit that settles; and how one that lapsed too often ends.
 * Never chooses a lane, and never begins an attempt without a claim.
 */
import type { Clock } from "../clock.ts";
import { claimExport, type Turn, type TurnFacts } from "../exports/claim.ts";
import {
  type Change,
  keptFrom,
  settleExport,
  type SettlePolicy,
  wakeUpAt,
} from "../exports/export.ts";
import { hostAndPathOf } from "../exports/ledger_entry.ts";
import type { Claimant, Delivering, Facts, Finished, Outcome, Pending } from "../exports/record.ts";
import {
  type Follower,
  type Held,
  type Ledger,
  type Settled,
  StoreFailed,
} from "../ledger/ledger.ts";
import { STORE_RETRIES_PER_LINE, STORE_RETRY_MS } from "../limits.ts";
import type { Log } from "../log.ts";
import { attemptExport, DAMAGED, NO_ANSWER, type Send } from "./attempt.ts";
import { type Behind, lookBehind } from "./payload.ts";

export interface DeliveryParts {
  readonly ledger: Ledger;
  readonly send: Send;
  readonly clock: Clock;
  /** Uniform in [0, 1); the jitter of retries. */
  readonly random: () => number;
  readonly log: Log;
  readonly claimant: Claimant;
  readonly userAgent: string;
  readonly policy: SettlePolicy & {
    /** How long a claim holds; longer than any attempt takes. */
    readonly leaseMs: number;
  };
}

/** What a delivery needs from the worker that runs it. */
export interface WorkerContext {
  /** Aborts when running attempts must end. */
  readonly signal: AbortSignal;
  /** Resolves after that time, or when the worker stops. */
  pause(ms: number): Promise<void>;
  /** Whether no more exports may be claimed. */
  isStopping(): boolean;
  /** Whether lanes other than this one need the hand, or a place at this host. */
  isWanted(host: string, lane: string): boolean;
  /** Learns from an attempt's outcome about its host. */
  learn(host: string, lane: string, outcome: Outcome): void;
  /** Has the lane looked at again after `ms`; does nothing if that is 0 or less. */
  lookAgain(lane: string, ms: number): void;
}

/** What a claim depends on, at this moment. */
export function turnFacts({ clock, claimant, policy }: DeliveryParts): TurnFacts {
  return { ...policy, now: clock.now(), claimant };
}

/** A claimed export and its payload. */
export interface Work {
  readonly claimed: Held<Delivering>;
  readonly payload: Uint8Array | "damaged";
}

/** Delivers a claimed export, then those behind it for as long as no other lane needs the hand. */
export async function deliver(
  first: Work | undefined,
  parts: DeliveryParts,
  context: WorkerContext,
): Promise<void> {
  let work = first;
  while (work !== undefined) work = await attempt(work, parts, context);
}

/** Makes one attempt and settles it; returns the export that the same commit also claimed. */
async function attempt(
  { claimed, payload }: Work,
  parts: DeliveryParts,
  context: WorkerContext,
): Promise<Work | undefined> {
  const { random, log, policy } = parts;
  const { record } = claimed;
  const { host } = hostAndPathOf(record.uri);
  const following = lookBehind(claimed, parts);
  const { signal } = context;
  const attempted = payload === "damaged"
    ? DAMAGED
    : await attemptExport(record, payload, { ...parts, signal });
  if (attempted.kind === "stopped") return undefined;
  const { outcome, answer } = attempted;
  context.learn(host, record.lane, outcome);
  const facts = turnFacts(parts);
  const { now } = facts;
  const settlement = settleExport(record, outcome, policy, { now, chance: random() });
  const goesOn = settlement.record.state === "finished" && !context.isWanted(host, record.lane);
  const behind = goesOn ? await following : undefined;
  // A stop may have come meanwhile.
  const next = context.isStopping() ? undefined : behind;
  const end = { settlement, answer, next, facts };
  const { isSettled, work } = await settleAndFollow(claimed, end, parts, context);
  log({
    event: "delivery.attempted",
    id: record.id,
    owner: record.owner,
    host,
    attempt: record.attempts,
    bytes: record.payload.bytes,
    ...outcome,
    ageMs: ageMs(record, now),
    next: isSettled ? settlement.record.state : "superseded",
  });
  return work;
}

/** Ends an export that lapsed too often; claims the one behind it, which inherits its lapses. */
export async function giveUp(
  held: Held,
  { change, lapses }: Extract<Turn, { kind: "give_up" }>,
  parts: DeliveryParts,
  context: WorkerContext,
): Promise<Work | undefined> {
  // Even if others need the hand: only this commit passes the lapses on to the one behind.
  const next = await lookBehind(held, parts);
  if (context.isStopping()) return undefined;
  const facts = { ...turnFacts(parts), lapsesBefore: lapses };
  const end = { settlement: change, answer: NO_ANSWER, next, facts };
  const { isSettled, work } = await settleAndFollow(held, end, parts, context);
  if (isSettled) logLapse(held.record, "finished", parts);
  return work;
}

/** How long ago it was accepted; the clock may have been put back since. */
function ageMs({ acceptedAt }: Facts, now: number): number {
  return Math.max(0, now - acceptedAt);
}

/** Logs an attempt whose outcome is unknown: its process was killed, or its lease ran out. */
export function logLapse(
  record: Facts,
  next: "delivering" | "finished",
  { log, clock }: Pick<DeliveryParts, "log" | "clock">,
): void {
  const { id, owner, uri, attempts: attempt } = record;
  const { host } = hostAndPathOf(uri);
  const age = ageMs(record, clock.now());
  log({ event: "delivery.lapsed", id, owner, host, attempt, ageMs: age, next });
}

/** Commits `settlement`, and claims `next` in the same commit if its turn has come. */
async function settleAndFollow(
  claimed: Held,
  { settlement, answer, next, facts }: {
    readonly settlement: Change<Pending | Finished>;
    readonly answer: Uint8Array;
    readonly next: Behind | undefined;
    readonly facts: TurnFacts;
  },
  parts: DeliveryParts,
  context: WorkerContext,
): Promise<{ readonly isSettled: boolean; readonly work: Work | undefined }> {
  const claim = next && claimExport(next.held.record, facts);
  const follower = next && claim && { held: next.held, claim };
  const settled = await settle(claimed, { settlement, answer, follower }, parts, context);
  // A store that reports a failure may still have committed, including the claim of the one behind.
  const lookMs = settled === undefined ? STORE_RETRY_MS : wakeUpAt(settlement) - facts.now;
  context.lookAgain(claimed.record.lane, lookMs);
  const work = next && settled?.claimed && { claimed: settled.claimed, payload: next.payload };
  return { isSettled: settled !== undefined, work };
}

interface Settlement {
  readonly settlement: Change<Pending | Finished>;
  readonly answer: Uint8Array;
  readonly follower: Follower | undefined;
}

/**
 * Nobody else knows the outcome of the attempt: a failing store is retried for as long as the
 * process lives, whatever the lease says; if the lane was taken over meanwhile, the change is
 * refused. The export behind is claimed at the first try only.
 *
 * @throws {StoreFailed} once running attempts must end
 */
async function settle(
  claimed: Held,
  { settlement, answer, follower }: Settlement,
  { ledger, log, clock, policy }: DeliveryParts,
  context: WorkerContext,
): Promise<Settled | undefined> {
  const { id } = claimed.record;
  if (follower !== undefined) {
    const kept = keptFrom(settlement, { ...policy, now: clock.now() });
    const both = await ledger.settle(claimed, kept, { answer, follower })
      .catch((error) => log({ event: "store.failed", id, error }));
    if (both) return both;
  }
  for (let tries = 0;; tries++) {
    try {
      const kept = keptFrom(settlement, { ...policy, now: clock.now() });
      return await ledger.settle(claimed, kept, { answer });
    } catch (error) {
      if (context.signal.aborted) throw new StoreFailed(error);
      if (tries % STORE_RETRIES_PER_LINE === 0) log({ event: "store.failed", id, error });
      await context.pause(STORE_RETRY_MS);
    }
  }
}
