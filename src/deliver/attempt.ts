/** One delivery attempt: an export in, an outcome out. Never decides what happens next. */
import type { Clock } from "../clock.ts";
import type { Delivering, Outcome } from "../exports/record.ts";
import type { AttemptFailure } from "../exports/failure.ts";
import { retryAfterMs } from "./retry_after.ts";

/** One guarded POST, ready to send. */
export interface OutboundRequest {
  readonly uri: string;
  /** Requests of a lane may share a connection, one after the other. */
  readonly lane: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly signal: AbortSignal;
}

/**
 * What came back; the code is `stopped` if the request's own signal ended it. `firstSentTo` is an
 * address where the request may have arrived earlier, on a connection that was then closed;
 * `unsent` says that no connection came about (later).
 */
export type SendResult =
  & { readonly firstSentTo?: string }
  & (
    | {
      readonly kind: "answered";
      readonly status: number;
      readonly body: Uint8Array;
      readonly truncated: boolean;
      readonly address: string;
      /** The `Retry-After` header, as received. */
      readonly retryAfter?: string;
    }
    | {
      readonly kind: "failed";
      readonly code: Exclude<AttemptFailure, "data_damaged"> | "stopped";
      readonly address?: string;
      readonly rule?: string;
      readonly unsent?: true;
    }
  );

/** Sends within the limits it was made with; resolves whatever the destination does. */
export type Send = (request: OutboundRequest) => Promise<SendResult>;

/** The result of an attempt. Whether a stopped one arrived is unknown. */
export type Attempted =
  | { readonly kind: "ended"; readonly outcome: Outcome; readonly answer: Uint8Array }
  | { readonly kind: "stopped" };

/** Makes the running attempt of `record`: one POST of the payload, byte for byte as submitted. */
export async function attemptExport(
  record: Delivering,
  payload: Uint8Array,
  parts: {
    readonly send: Send;
    readonly clock: Clock;
    readonly userAgent: string;
    readonly signal: AbortSignal;
  },
): Promise<Attempted> {
  const begun = parts.clock.now();
  const result = await parts.send({
    uri: record.uri,
    lane: record.lane,
    headers: headersFor(record.id, parts.userAgent),
    body: payload,
    signal: parts.signal,
  });
  // The clock may have been put back meanwhile.
  const ms = Math.max(0, parts.clock.now() - begun);
  if (result.kind === "answered") {
    const { body, retryAfter, ...answered } = result;
    const asked = retryAfterMs(retryAfter, parts.clock.now());
    return {
      kind: "ended",
      outcome: {
        ...answered,
        answerBytes: body.byteLength,
        ms,
        ...(asked !== undefined && { retryAfterMs: asked }),
      },
      answer: body,
    };
  }
  const { code } = result;
  if (code === "stopped") return { kind: "stopped" };
  return { kind: "ended", outcome: { ...result, code, ms }, answer: NO_ANSWER };
}

/** What is kept if an attempt got no answer. */
export const NO_ANSWER = new Uint8Array();

/** The result of an attempt that had nothing to send, since the payload was damaged. */
export const DAMAGED: Attempted = {
  kind: "ended",
  outcome: { kind: "failed", code: "data_damaged", ms: 0 },
  answer: NO_ANSWER,
};

/** The same id at every attempt lets a receiver recognise duplicates (Standard Webhooks). */
function headersFor(id: string, userAgent: string): Record<string, string> {
  return {
    "content-type": "application/json",
    "idempotency-key": id,
    "webhook-id": id,
    "user-agent": userAgent,
  };
}
