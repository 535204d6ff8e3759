/**
 * `POST /export` and `POST /lp/export`: one queue, two ways to learn the outcome. The guard has
 * issued the grant; `exchange.ts` decides what to answer, this file waits for it and sends it.
 */
import { type Context, Hono } from "hono";
import type { ExportRecord } from "../exports/record.ts";
import { answerBytesOf, isPast, wireState } from "../exports/receipt.ts";
import {
  ANSWER_WAIT_MS,
  JSON_BYTES_PER_BYTE,
  SHORT_BODY_BYTES,
  SMALL_ANSWER_BYTES,
} from "../limits.ts";
import { RELEASED, type Waiters } from "../wait/waiters.ts";
import { type BodyBounds, lengthOf, readBody } from "./body.ts";
import type { Bounded } from "./bounds.ts";
import {
  exchange,
  type ExchangeParts,
  found,
  lookUp,
  receiptOf,
  type Reply,
  SHOWN_BEFORE,
  tooLarge,
} from "./exchange.ts";
import type { Guarded } from "./guard.ts";
import { streamedJson } from "./streamed_json.ts";
import type { Log } from "../log.ts";
import { noteLimit } from "./throttled_log.ts";
import { no, problemFor, type ProblemReply } from "./problem.ts";
import {
  type ExportRequest,
  parseExportRequest,
  pollTimeoutMs,
  requestBytesMax,
} from "./request.ts";

export interface ExportRoutesParts extends ExchangeParts, Omit<Bounded, "headBounds" | "rate"> {
  readonly waiters: Waiters<ExportRecord>;
  readonly throttledLog: Log;
  /** Counts a body that is being read; see {@link BodyBounds}. */
  readonly watchMemory: BodyBounds["watchMemory"];
}

type GuardedContext = Context<Guarded>;

export function exportRoutes(parts: ExportRoutesParts): Hono<Guarded> {
  return new Hono<Guarded>()
    .post("/export", (c) => answer(c, parts, 0))
    .post("/lp/export", (c) => answer(c, parts, pollTimeoutMs(c.req.query("timeout"))));
}

/**
 * Polls wait here, thousands at once, and each keeps every async function on its chain of callers
 * in memory: so this function does the waiting itself.
 */
async function answer(
  c: GuardedContext,
  parts: ExportRoutesParts,
  timeoutMs: number,
): Promise<Response> {
  const { reply, isPoll } = await receive(c, parts);
  const { owner } = c.get("grant");
  const { signal } = c.req.raw;
  if (!isPoll || !isOpen(reply) || timeoutMs === 0) {
    return await respond(reply, { owner, signal }, parts);
  }
  const { id } = reply.record;
  const leave = parts.polls.take(owner);
  if (leave === undefined) return respondProblem(no("too_many_polls"), owner, parts);
  const state = wireState(reply.record);
  const enough = (now: ExportRecord) => isPast(now, state);
  try {
    const later = await parts.waiters.until(id, enough, { timeoutMs, signal });
    if (later === RELEASED) {
      return respondProblem({ ...no("too_many_polls"), cut: true }, owner, parts);
    }
    // Not woken in time, or all waiting has ended: the answer is whatever the record says now.
    const shown = found(id, later ?? await lookUp(id, parts, SHOWN_BEFORE));
    return await respond(shown, { owner, signal }, parts);
  } finally {
    leave();
  }
}

/** The reply to a request as of now, and whether it may wait for a later one. */
interface Heard {
  readonly reply: Reply;
  readonly isPoll: boolean;
}

/** Reads a request and answers it; its body counts as held until its payload is accepted. */
async function receive(c: GuardedContext, parts: ExportRoutesParts): Promise<Heard> {
  const bytesMax = requestBytesMax(parts.payloadBytesMax);
  const bytes = Math.min(lengthOf(c.req.raw) ?? bytesMax, bytesMax);
  const { owner } = c.get("grant");
  const forget = bytes > SHORT_BODY_BYTES
    ? parts.bodies.take(owner, bytes)
    : parts.shortBodies.take(owner);
  if (forget === undefined) return { reply: no("too_many_bodies"), isPoll: false };
  try {
    return await hear(c, bytesMax, parts);
  } finally {
    forget();
  }
}

async function hear(c: GuardedContext, bytesMax: number, parts: ExportRoutesParts): Promise<Heard> {
  const request = await readRequest(c, bytesMax, parts);
  if (request.kind === "problem") return { reply: request, isPoll: false };
  const { method, path } = c.req;
  const idempotencyKey = c.req.header("idempotency-key");
  const caller = { grant: c.get("grant"), method, path, idempotencyKey };
  return { reply: await exchange(caller, request, parts), isPoll: request.kind === "poll" };
}

/** Parses a request. Its bytes are released here, before anything else is waited for. */
async function readRequest(
  c: GuardedContext,
  bytesMax: number,
  parts: ExportRoutesParts,
): Promise<ExportRequest | ProblemReply> {
  const { bodyTimeoutMs: timeoutMs, jsonDepth } = parts;
  const body = await readBody(c.req.raw, { ...parts, bytesMax, timeoutMs });
  if (body.kind === "read") return parseExportRequest(body.bytes, jsonDepth);
  if (body.kind === "broken") return no("malformed_request", "The body ended early.");
  const refusals = {
    too_large: () => tooLarge(parts),
    too_slow: () => no("too_slow", `The whole body must arrive within ${timeoutMs / 1_000} s.`),
    dropped: () => no("too_many_bodies"),
  };
  const cut = body.inCrumbs || body.kind === "dropped";
  return { ...refusals[body.kind](), ...(cut && { cut }) };
}

/** Whether `reply` shows an export that may still change. */
function isOpen(reply: Reply): reply is Extract<Reply, { kind: "export" }> {
  return reply.kind === "export" && wireState(reply.record) !== "Finished";
}

/** Sends small answers at once, and rations large ones: left unread, they would take all memory. */
async function respond(
  reply: Reply,
  { owner, signal }: { readonly owner: string; readonly signal: AbortSignal },
  parts: Pick<ExportRoutesParts, "answers" | "clock" | "ledger" | "throttledLog">,
): Promise<Response> {
  if (reply.kind === "problem") return respondProblem(reply, owner, parts);
  const { record } = reply;
  const bytes = answerBytesOf(record);
  if (bytes <= SMALL_ANSWER_BYTES) return Response.json(await receiptOf(record, parts));
  const { answers, clock } = parts;
  const wait = { clock, timeoutMs: ANSWER_WAIT_MS, signal };
  const leave = await answers.take(owner, bytes * JSON_BYTES_PER_BYTE, wait);
  if (leave === undefined) {
    const refusal = no("too_many_answers");
    // Who left while waiting met no limit.
    return signal.aborted ? problemFor(refusal) : respondProblem(refusal, owner, parts);
  }
  try {
    const json = new TextEncoder().encode(JSON.stringify(await receiptOf(record, parts)));
    leave(json.length);
    return streamedJson(json, clock, leave);
  } catch (error) {
    leave();
    throw error;
  }
}

function respondProblem(
  reply: ProblemReply,
  owner: string,
  { throttledLog }: Pick<ExportRoutesParts, "throttledLog">,
): Response {
  noteLimit(reply.code, owner, throttledLog);
  return problemFor(reply);
}
