/**
 * `POST /export` and `POST /lp/export`: one queue, two ways to learn the outcome. The grant is
 * there already; what the body adds is judged here, in the order of the rulings: form, destination
 * and size against the grant, then the destination itself.
 */
import { createHash } from "node:crypto";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import {
  type Grant,
  permitsBytes,
  permitsDestination,
  type RefusalReason,
} from "../authorise/authorise.ts";
import type { Clock } from "../clock.ts";
import { acceptExport, type Change } from "../exports/export.ts";
import type { ExportRecord, Pending } from "../exports/record.ts";
import { placeOf } from "../exports/ledger_entry.ts";
import {
  finishedReceipt,
  isPast,
  openReceipt,
  type Receipt,
  wireState,
} from "../exports/receipt.ts";
import type { Idempotency, Ledger } from "../ledger/ledger.ts";
import { BODY_ENVELOPE_BYTES, BODY_ESCAPE_FACTOR, IDEMPOTENCY_RETENTION_MS } from "../limits.ts";
import type { Log } from "../log.ts";
import type { Waiters } from "../wait/waiters.ts";
import type { Guarded } from "./guard.ts";
import { problem } from "./problem.ts";
import type { Refusals } from "./refusals.ts";
import { isIdempotencyKey, parseExportRequest, pollTimeoutMs } from "./request.ts";

/** What the network guard says of a destination; `detail` is for app developers. */
export type DestinationVerdict =
  | { readonly kind: "permitted" }
  | { readonly kind: "malformed"; readonly detail: string }
  | { readonly kind: "refused"; readonly rule: string; readonly detail: string };

export interface ExportRoutesParts {
  readonly ledger: Ledger;
  readonly waiters: Waiters<ExportRecord | undefined>;
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly newId: () => string;
  readonly log: Log;
  /** Says at once what can be said without asking a name server. */
  readonly checkDestination: (uri: string) => DestinationVerdict;
  /** Largest payload, bytes. */
  readonly bodyBytes: number;
  readonly giveUpAfterMs: number;
}

type Call = Context<Guarded>;
type Submission = Extract<ReturnType<typeof parseExportRequest>, { kind: "submission" }>;

export function exportRoutes(parts: ExportRoutesParts): Hono<Guarded> {
  const limit = bodyLimit({
    maxSize: BODY_ESCAPE_FACTOR * parts.bodyBytes + BODY_ENVELOPE_BYTES,
    onError: () => tooLarge(parts.bodyBytes),
  });
  return new Hono<Guarded>()
    .post("/export", limit, (c) => answer(c, parts, 0))
    .post("/lp/export", limit, (c) => answer(c, parts, pollTimeoutMs(c.req.query("timeout"))));
}

/** The store failed; the caller is told so, and that trying again may help. */
export class StoreUnavailable extends Error {
  override readonly name = "StoreUnavailable";
}

async function answer(c: Call, parts: ExportRoutesParts, waitMs: number): Promise<Response> {
  const request = parseExportRequest(new Uint8Array(await c.req.arrayBuffer()));
  if (request.kind === "malformed") return problem("malformed_request", request.detail);
  if (!permitsDestination(c.get("grant"), request.uri)) {
    return refuse(c, parts, "destination_wrong", request.uri);
  }
  return request.kind === "submission"
    ? await submit(c, parts, request)
    : await poll(c, parts, request.id, waitMs);
}

async function submit(
  c: Call,
  parts: ExportRoutesParts,
  { uri, payload }: Submission,
): Promise<Response> {
  const { ledger, clock, log } = parts;
  const grant = c.get("grant");
  if (payload.byteLength > parts.bodyBytes) return tooLarge(parts.bodyBytes);
  if (!permitsBytes(grant, payload.byteLength)) return refuse(c, parts, "too_many_bytes", uri);
  const verdict = parts.checkDestination(uri);
  if (verdict.kind === "malformed") return problem("malformed_request", verdict.detail);
  if (verdict.kind === "refused") {
    note(c, parts, `destination_${verdict.rule}`, uri);
    return problem("destination_refused", verdict.detail);
  }
  const key = c.req.header("idempotency-key");
  if (key !== undefined && !isIdempotencyKey(key)) return problem("malformed_request", KEY_RULE);

  const facts = { id: parts.newId(), now: clock.now(), giveUpAfterMs: parts.giveUpAfterMs };
  const change = acceptExport({ owner: grant.owner, uri, payload }, facts);
  const acceptance = await fromStore(ledger.accept(change, payload, idempotency(key, change)));
  switch (acceptance.kind) {
    case "accepted": {
      const { id, owner } = change.record;
      log({ event: "export.accepted", id, owner, host: placeOf(uri).host, bytes: payload.length });
      return c.json(openReceipt(change.record));
    }
    case "replayed": {
      const record = await fromStore(ledger.find(acceptance.id, clock.now()));
      return record === undefined ? unknownExport(acceptance.id) : await show(c, parts, record);
    }
    case "conflict":
      return problem("idempotency_conflict", "Use a new key for another destination or data.");
  }
}

async function poll(
  c: Call,
  parts: ExportRoutesParts,
  id: string,
  waitMs: number,
): Promise<Response> {
  const { ledger, clock, waiters } = parts;
  const record = await fromStore(ledger.find(id, clock.now()));
  if (record === undefined || !mayRead(c.get("grant"), record)) return unknownExport(id);
  const state = wireState(record);
  if (state === "Finished" || waitMs === 0) return await show(c, parts, record);
  const later = await waiters.until(id, (now) => now !== undefined && isPast(now, state), {
    timeoutMs: waitMs,
    signal: c.req.raw.signal,
  });
  // Not woken, or sent away: whatever the record says now is the answer.
  const present = later ?? await fromStore(ledger.find(id, clock.now()));
  return present === undefined ? unknownExport(id) : await show(c, parts, present);
}

/** A result is for tokens that could have submitted it (DESIGN 3, "owner"). */
function mayRead(grant: Grant, { owner, payload }: ExportRecord): boolean {
  return owner === grant.owner && permitsBytes(grant, payload.bytes);
}

async function show(c: Call, { ledger }: ExportRoutesParts, record: ExportRecord) {
  const receipt: Receipt = record.state === "finished"
    ? finishedReceipt(record, await fromStore(ledger.answer(record)))
    : openReceipt(record);
  return c.json(receipt);
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
  return createHash("sha256").update(text).digest("base64url");
}

function refuse(c: Call, parts: ExportRoutesParts, reason: RefusalReason, uri: string): Response {
  note(c, parts, reason, uri);
  return problem("unauthorised");
}

function note(c: Call, parts: ExportRoutesParts, reason: string, uri: string): void {
  const { method, path } = c.req;
  const { owner } = c.get("grant");
  parts.refusals.note({ reason, method, route: path, owner, host: placeOf(uri).host });
}

function tooLarge(bodyBytes: number): Response {
  return problem("too_large", `\`data\` may take ${bodyBytes} bytes at most, as UTF-8.`);
}

function unknownExport(id: string): Response {
  return problem("unknown_export", `No export of this token's owner has the id ${id}.`);
}

function fromStore<T>(promise: Promise<T>): Promise<T> {
  return promise.catch((cause) => {
    throw new StoreUnavailable("Cannot reach the store", { cause });
  });
}
