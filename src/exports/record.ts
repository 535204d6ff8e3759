/**
 * What is stored of an export: its facts, its state, and who may deliver it. Types only; how they
 * change is in `export.ts` and `claim.ts`. Times are milliseconds since the epoch.
 */
import type { AttemptFailure, FailureCode } from "./failure.ts";

/** What never changes in an export, and its number of attempts. */
export interface Facts {
  /** UUID of version 7 (RFC 9562), lower case; also the `Idempotency-Key` of every attempt. */
  readonly id: string;
  /** Identity bound by the verified macaroon: its identifier and destination. */
  readonly owner: string;
  /** The destination as the app wrote it. */
  readonly uri: string;
  /** The FIFO queue that the export is in: one per owner and destination. */
  readonly lane: string;
  readonly payload: { readonly bytes: number; readonly sha256: string };
  readonly acceptedAt: number;
  /** No attempt is planned after this moment. */
  readonly giveUpAt: number;
  /** Attempts begun so far. */
  readonly attempts: number;
}

/** Waits for its first attempt, or for the next one. */
export interface Pending extends Facts {
  readonly state: "pending";
  /** Not to be claimed before this moment. */
  readonly dueAt: number;
}

/** Being delivered by the holder of its lane's lease. */
export interface Delivering extends Facts {
  readonly state: "delivering";
}

/** Settled for good; kept for its owner until `expiresAt`. */
export interface Finished extends Facts {
  readonly state: "finished";
  readonly finishedAt: number;
  readonly expiresAt: number;
  readonly result: Result;
}

/** An export as stored, without payload and answer. */
export type ExportRecord = Pending | Delivering | Finished;

/** How an export ended. */
export type Result =
  | {
    readonly kind: "answered";
    readonly status: number;
    readonly truncated: boolean;
    readonly answerBytes: number;
  }
  | { readonly kind: "failed"; readonly code: FailureCode; readonly rule?: string };

/**
 * The outcome of one attempt; `ms` is its duration, `address` the one connected to, `firstSentTo`
 * one that it was sent to earlier without getting an answer, `unsent` that no connection came about
 * for what is told here.
 */
export type Outcome =
  & { readonly firstSentTo?: string }
  & (
    | {
      readonly kind: "answered";
      readonly status: number;
      readonly truncated: boolean;
      readonly answerBytes: number;
      readonly address: string;
      readonly ms: number;
      /** How long the destination asks to be left alone. */
      readonly retryAfterMs?: number;
    }
    | {
      readonly kind: "failed";
      readonly code: AttemptFailure;
      readonly ms: number;
      readonly address?: string;
      readonly rule?: string;
      readonly unsent?: true;
    }
  );

/** A process that may claim: `instance` names its store, `boot` this run of the process. */
export interface Claimant {
  readonly instance: string;
  readonly boot: string;
}

/**
 * The right to deliver the head of a lane until a given time. A holder whose lease was taken over
 * cannot settle: record and lease have newer versions by then.
 */
export interface Lease {
  readonly id: string;
  readonly claimant: Claimant;
  /** When it was taken; absent in leases written before `lapses` existed. */
  readonly since?: number;
  readonly until: number;
  /** Consecutive attempts just before this one whose outcome is unknown; none if absent. */
  readonly lapses?: number;
}
