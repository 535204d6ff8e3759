/**
 * What a hand does with a claimed export: attempt → settle, and then the same with the one behind it,
 * claimed in the commit that settles. Never chooses a lane, and never begins without a claim.
 */
import type { Clock } from "../clock.ts";
import { claimExport } from "../exports/claim.ts";
import { type Change, settleExport, type SettlePolicy, wakeUpAt } from "../exports/export.ts";
import { hostAndPathOf } from "../exports/ledger_entry.ts";
import type { Claimant, Delivering, ExportRecord, Facts, Outcome } from "../exports/record.ts";
import {
  type Changed,
  type Follower,
  type Held,
  type Ledger,
  StoreFailed,
} from "../ledger/ledger.ts";
import { PAYLOAD_RETRY_MS, STORE_RETRIES_PER_LINE, STORE_RETRY_MS } from "../limits.ts";
import type { Log } from "../log.ts";
import { attemptExport, type Send } from "./attempt.ts";

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

/** What a delivery needs of the worker whose hand it is. */
export interface Surroundings {
  /** Aborts when running attempts must end. */
  readonly signal: AbortSignal;
  /** Resolves after that time, or when the worker stops. */
  pause(ms: number): Promise<void>;
  /** Whether others need the hand, or a place at this host. */
  isWanted(host: string): boolean;
  /** Hears what an attempt says of its host. */
  learn(host: string, lane: string, outcome: Outcome): void;
  /** Has the lane looked at again after that time; not at all if that is none. */
  lookAgain(lane: string, ms: number): void;
}

/** An export that is claimed, and its bytes. */
export interface Work {
  readonly claimed: Held<Delivering>;
  readonly payload: Uint8Array;
}

/** Delivers what is claimed, and what stands behind it for as long as nobody else needs the hand. */
export async function deliver(
  first: Work,
  parts: DeliveryParts,
  around: Surroundings,
): Promise<void> {
  let work: Work | undefined = first;
  while (work !== undefined) work = await attempt(work, parts, around);
}

/** One attempt and its end; returns what the settling commit has claimed besides. */
async function attempt(
  { claimed, payload }: Work,
  parts: DeliveryParts,
  around: Surroundings,
): Promise<Work | undefined> {
  const { clock, random, log, policy, claimant } = parts;
  const { record } = claimed;
  const { host } = hostAndPathOf(record.uri);
  const following = lookBehind(claimed, parts);
  const { signal } = around;
  const attempted = await attemptExport(record, payload, { ...parts, signal });
  if (attempted.kind === "stopped") return undefined;
  const { outcome, answer } = attempted;
  around.learn(host, record.lane, outcome);
  const facts = { now: clock.now(), chance: random() };
  const settlement = settleExport(record, outcome, policy, facts);
  const goesOn = settlement.record.state === "finished" && !around.isWanted(host);
  const next = goesOn ? await following : undefined;
  const claim = next && claimExport(next.held.record, undefined, { ...facts, claimant, ...policy });
  const follower = next && claim && { held: next.held, claim };
  const settled = await settle(claimed, { settlement, answer, follower }, parts, around);
  const isInDoubt = settled === undefined ||
    settled.follower === undefined && follower !== undefined;
  // A store that reports a failure may have held it all the same, the claim of the one behind too.
  around.lookAgain(record.lane, isInDoubt ? STORE_RETRY_MS : wakeUpAt(settlement) - facts.now);
  log({
    event: "delivery.attempted",
    id: record.id,
    owner: record.owner,
    host,
    attempt: record.attempts,
    bytes: record.payload.bytes,
    ...outcome,
    ageMs: facts.now - record.acceptedAt,
    next: settled === undefined ? "superseded" : settlement.record.state,
  });
  return next && settled?.follower && { claimed: settled.follower, payload: next.payload };
}

/**
 * What is to be delivered, read before it is claimed: what cannot be read was not attempted. It may be
 * damaged, so its lane alone waits, and the log names it.
 */
export async function payloadOf(
  held: Held,
  { ledger, log }: DeliveryParts,
  around: Pick<Surroundings, "lookAgain">,
): Promise<Uint8Array | undefined> {
  const { id, lane } = held.record;
  try {
    return await ledger.payload(held);
  } catch (error) {
    log({ event: "store.failed", id, lane, error });
    around.lookAgain(lane, PAYLOAD_RETRY_MS);
    return undefined;
  }
}

/** Tells the log of an attempt whose end nobody knows: its process was killed, or its lease ran out. */
export function logLapse(
  { id, owner, uri, attempts, acceptedAt }: Facts,
  next: "delivering" | "finished",
  { log, clock }: Pick<DeliveryParts, "log" | "clock">,
): void {
  const { host } = hostAndPathOf(uri);
  const ageMs = clock.now() - acceptedAt;
  log({ event: "delivery.lapsed", id, owner, host, attempt: attempts, ageMs, next });
}

/** Reads what stands behind in the lane while the one before it is on its way. */
async function lookBehind(
  claimed: Held,
  { ledger }: DeliveryParts,
): Promise<{ readonly held: Held; readonly payload: Uint8Array } | undefined> {
  try {
    const held = await ledger.behind(claimed);
    return held && { held, payload: await ledger.payload(held) };
  } catch {
    // Its turn comes when the lane is woken.
    return undefined;
  }
}

interface Settlement<R extends ExportRecord> {
  readonly settlement: Change<R>;
  readonly answer: Uint8Array;
  readonly follower: Follower | undefined;
}

/**
 * What came of an attempt is known to nobody else: a failing store is asked again for as long as the
 * process lives, whatever the lease says, since whoever took the lane over meanwhile has changed it.
 * The one behind is only taken along.
 *
 * @throws {StoreFailed} once running attempts must end
 */
async function settle<R extends ExportRecord>(
  claimed: Held<Delivering>,
  { settlement, answer, follower }: Settlement<R>,
  { ledger, log }: DeliveryParts,
  around: Surroundings,
): Promise<Changed<R> | undefined> {
  const { id } = claimed.record;
  if (follower !== undefined) {
    const both = await ledger.change(claimed, settlement, { answer, follower })
      .catch((error) => log({ event: "store.failed", id, error }));
    if (both) return both;
  }
  for (let tries = 0;; tries++) {
    try {
      return await ledger.change(claimed, settlement, { answer });
    } catch (error) {
      if (around.signal.aborted) throw new StoreFailed(error);
      if (tries % STORE_RETRIES_PER_LINE === 0) log({ event: "store.failed", id, error });
      await around.pause(STORE_RETRY_MS);
    }
  }
}
