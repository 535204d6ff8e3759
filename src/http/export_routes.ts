/**
 * `POST /export` and `POST /lp/export`: one queue, two ways to learn the outcome. The grant is
 * there already; what is said to whom is decided in `exchange.ts`, here it is waited for and sent.
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { ExportRecord } from "../exports/record.ts";
import { isPast, wireState } from "../exports/receipt.ts";
import type { Waiters } from "../wait/waiters.ts";
import {
  exchange,
  type ExchangeParts,
  found,
  lookUp,
  receiptOf,
  type Reply,
  tooLarge,
} from "./exchange.ts";
import type { Guarded } from "./guard.ts";
import { problem } from "./problem.ts";
import { parseExportRequest, pollTimeoutMs, requestBytesMax } from "./request.ts";

export interface ExportRoutesParts extends ExchangeParts {
  readonly waiters: Waiters<ExportRecord | undefined>;
}

type Call = Context<Guarded>;

export function exportRoutes(parts: ExportRoutesParts): Hono<Guarded> {
  const limit = bodyLimit({
    maxSize: requestBytesMax(parts.bodyBytes),
    onError: (c) => respond(c, tooLarge(parts), parts),
  });
  return new Hono<Guarded>()
    .post("/export", limit, (c) => answer(c, parts, 0))
    .post("/lp/export", limit, (c) => answer(c, parts, pollTimeoutMs(c.req.query("timeout"))));
}

async function answer(c: Call, parts: ExportRoutesParts, waitMs: number): Promise<Response> {
  const request = parseExportRequest(new Uint8Array(await c.req.arrayBuffer()));
  const { method, path } = c.req;
  const idempotencyKey = c.req.header("idempotency-key");
  const reply = await exchange(
    { grant: c.get("grant"), method, path, idempotencyKey },
    request,
    parts,
  );
  return request.kind === "poll" && reply.kind === "export"
    ? await respond(c, await changed(reply, waitMs, c.req.raw.signal, parts), parts)
    : await respond(c, reply, parts);
}

/** `reply` once its export shows more than now, or when the wait is over. */
async function changed(
  reply: Extract<Reply, { kind: "export" }>,
  timeoutMs: number,
  signal: AbortSignal,
  parts: ExportRoutesParts,
): Promise<Reply> {
  const { id } = reply.record;
  const state = wireState(reply.record);
  if (state === "Finished" || timeoutMs === 0) return reply;
  const enough = (now: ExportRecord | undefined) => now !== undefined && isPast(now, state);
  const later = await parts.waiters.until(id, enough, { timeoutMs, signal });
  // Not woken, or sent away: whatever the record says now is the answer.
  return found(id, later ?? await lookUp(id, parts));
}

async function respond(c: Context, reply: Reply, parts: ExportRoutesParts): Promise<Response> {
  return reply.kind === "problem"
    ? problem(reply.code, reply.detail)
    : c.json(await receiptOf(reply.record, parts));
}
