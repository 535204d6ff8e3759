/**
 * What an app asks and how it is answered, whatever the transport. Judges in a fixed order: form,
 * destination and size against the grant, then the destination itself, then asks the ledger. Never
 * waits for a change, and never reads a destination's answer before it is to be shown.
 */
import { hash } from "node:crypto";
import {
  type Grant,
  permitsBytes,
  permitsDestination,
  type RefusalReason,
} from "../authorise/authorise.ts";
import type { Clock } from "../clock.ts";
import { acceptExport, type Change } from "../exports/export.ts";
import type { ExportRecord, Pending } from "../exports/record.ts";
import { hostAndPathOf } from "../exports/ledger_entry.ts";
import { finishedReceipt, openReceipt, type Receipt } from "../exports/receipt.ts";
import {
  fromStore,
  type Idempotency,
  type Ledger,
  type MayRead,
  StoreFailed,
} from "../ledger/ledger.ts";
import {
  DESTINATION_CHARS_MAX,
  IDEMPOTENCY_RETENTION_MS,
  REFUSED_HOST_CHARS_MAX,
} from "../limits.ts";
import { framesOf, type Log } from "../log.ts";
import { no, type ProblemCode, type ProblemReply } from "./problem.ts";
import { storageQuotaExceeded, tooMuchOpen } from "./quotas.ts";
import type { Refusals } from "./refusals.ts";
import { type ExportRequest, isIdempotencyKey, requestBytesMax } from "./request.ts";

/** What the network guard says of a destination; `detail` is for app developers. */
export type DestinationVerdict =
  | { readonly kind: "permitted" }
  | { readonly kind: "malformed"; readonly detail: string }
  | { readonly kind: "refused"; readonly rule: string; readonly detail: string };

export interface ExchangeParts {
  readonly ledger: Pick<Ledger, "find" | "answer">;
  /** Opens an export and sees to its delivery. */
  readonly accept: Ledger["accept"];
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: Log;
  /** Judges at once what can be judged without asking a name server. */
  readonly checkDestination: (uri: string) => DestinationVerdict;
  /** Largest payload, bytes. */
  readonly payloadBytesMax: number;
  readonly giveUpAfterMs: number;
}

/** Who asks, and where. */
export interface Caller {
  readonly grant: Grant;
  readonly method: string;
  readonly path: string;
  readonly idempotencyKey?: string | undefined;
}

/** An export to show, see {@link receiptOf}; or a problem. */
export type Reply =
  | { readonly kind: "export"; readonly record: ExportRecord }
  | ProblemReply;

type Submission = Extract<ExportRequest, { kind: "submission" }>;

/** @throws {StoreFailed} if the store fails; nothing is half accepted then */
export async function exchange(
  caller: Caller,
  request: ExportRequest,
  parts: ExchangeParts,
): Promise<Reply> {
  if (request.kind === "malformed") return no("malformed_request", request.detail);
  if (!permitsDestination(caller.grant, request.uri)) {
    return refuse(caller, parts, "destination_wrong", request.uri);
  }
  return request.kind === "submission"
    ? await submit(caller, request, parts)
    : await poll(caller, request.id, parts);
}

async function submit(
  caller: Caller,
  { uri, payload }: Submission,
  parts: ExchangeParts,
): Promise<Reply> {
  const { clock, log } = parts;
  const { grant, idempotencyKey: key } = caller;
  if (payload.byteLength > parts.payloadBytesMax) return tooLarge(parts);
  if (!permitsBytes(grant, payload.byteLength)) return refuse(caller, parts, "too_many_bytes", uri);
  const verdict = parts.checkDestination(uri);
  if (verdict.kind === "malformed") return no("malformed_request", verdict.detail);
  if (verdict.kind === "refused") {
    note(caller, parts, `destination_${verdict.rule}`, uri);
    return no("destination_refused", verdict.detail);
  }
  if (key !== undefined && !isIdempotencyKey(key)) return no("malformed_request", KEY_RULE);

  const facts = { id: parts.newId(), now: clock.now(), giveUpAfterMs: parts.giveUpAfterMs };
  const change = acceptExport({ owner: grant.owner, uri, payload }, facts);
  const options = { idempotency: idempotency(key, change) };
  const acceptance = await fromStore(parts.accept(change, payload, options));
  switch (acceptance.kind) {
    case "accepted": {
      const { id, owner } = change.record;
      log({
        event: "export.accepted",
        id,
        owner,
        host: hostAndPathOf(uri).host,
        bytes: payload.length,
      });
      return { kind: "export", record: change.record };
    }
    case "replayed":
      return again(acceptance.id, await lookUp(acceptance.id, parts, SHOWN_BEFORE));
    case "conflict":
      return no("idempotency_conflict", "Use a new key for another destination or data.");
    case "full":
      return tooMuchOpen(acceptance);
    case "over_quota":
      return storageQuotaExceeded(acceptance);
  }
}

async function poll({ grant }: Caller, id: string, parts: ExchangeParts): Promise<Reply> {
  return found(id, await lookUp(id, parts, (record) => mayRead(grant, record)));
}

/** A result may be read with any token that could have submitted it. */
function mayRead(grant: Grant, { owner, payload }: ExportRecord): boolean {
  return owner === grant.owner && permitsBytes(grant, payload.bytes);
}

/** The reply to a repeated submission; its result may be kept for less time than its key. */
function again(id: string, record: ExportRecord | undefined): Reply {
  const detail = `The export ${id} that came with this key is finished, and its result is no ` +
    "longer kept. To export again, use a new key.";
  return record === undefined ? no("idempotency_conflict", detail) : found(id, record);
}

const UNKNOWN_ADVICE =
  "Ask with a token like the one that it was submitted with (same identifier, " +
  "same destination), while its result is kept.";

/** The reply that shows `record`, or says that there is no export with that id. */
export function found(id: string, record: ExportRecord | undefined): Reply {
  return record === undefined
    ? no("unknown_export", `${UNKNOWN_ADVICE} Asked for: ${id}.`)
    : { kind: "export", record };
}

/** The reply if `data`, or the request around it, is over its limit. */
export function tooLarge(
  { payloadBytesMax }: Pick<ExchangeParts, "payloadBytesMax">,
): ProblemReply {
  const requestMax = requestBytesMax(payloadBytesMax);
  return no(
    "too_large",
    `\`data\` may take ${payloadBytesMax} bytes at most, as UTF-8, and the request ${requestMax}.`,
  );
}

/** For a caller that was shown this export before, or has just opened it. */
export const SHOWN_BEFORE: MayRead = () => true;

/**
 * The export of that id as it is now.
 *
 * @throws {StoreFailed}
 */
export function lookUp(
  id: string,
  { ledger }: Pick<ExchangeParts, "ledger">,
  mayRead: MayRead,
): Promise<ExportRecord | undefined> {
  return fromStore(ledger.find(id, mayRead));
}

/**
 * What an app is shown of an export; reads the destination's answer if there is one.
 *
 * @throws {StoreFailed}
 */
export async function receiptOf(
  record: ExportRecord,
  { ledger }: Pick<ExchangeParts, "ledger">,
): Promise<Receipt> {
  return record.state === "finished"
    ? finishedReceipt(record, await fromStore(ledger.answer(record)))
    : openReceipt(record);
}

/** Logs an error thrown by a request; returns the problem code for the caller. */
export function noteFailure(
  error: unknown,
  where: { readonly method: string; readonly path: string },
  { log, throttledLog }: { readonly log: Log; readonly throttledLog: Log },
): ProblemCode {
  if (error instanceof StoreFailed) {
    throttledLog({ event: "store.failed", error: error.cause, ...where });
    return "store_unavailable";
  }
  log({ event: "request.failed", error, frames: framesOf(error), ...where });
  return "internal";
}

const KEY_RULE = "`Idempotency-Key` must be 1 to 255 visible ASCII characters, such as a UUID.";

function idempotency(
  key: string | undefined,
  { record }: Change<Pending>,
): Idempotency | undefined {
  if (key === undefined) return undefined;
  const { uri, payload, acceptedAt } = record;
  return {
    key: digest(key),
    fingerprint: digest(`${payload.sha256} ${uri}`),
    expiresAt: acceptedAt + IDEMPOTENCY_RETENTION_MS,
  };
}

function digest(text: string): string {
  return hash("sha256", text, "base64url");
}

function refuse(caller: Caller, parts: ExchangeParts, reason: RefusalReason, uri: string): Reply {
  note(caller, parts, reason, uri);
  return no("unauthorised");
}

function note(
  { method, path, grant }: Caller,
  { refusals }: ExchangeParts,
  reason: string,
  uri: string,
): void {
  // The length of `uri` may not have been checked yet, and parsing a very long host takes seconds.
  const start = uri.slice(0, DESTINATION_CHARS_MAX);
  const isWhole = start === uri || /^[^/?#]*:\/\/[^/?#]*[/?#]/.test(start);
  const { host } = hostAndPathOf(isWhole ? start : "");
  const told = host.slice(0, REFUSED_HOST_CHARS_MAX);
  refusals.note({ reason, method, route: path, owner: grant.owner, host: told });
}
