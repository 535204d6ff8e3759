/**
 * One guarded HTTP request: an export's bytes to its destination, and what came back. Never follows
 * a redirect, never decompresses, and never reads more than the limit. Sends a second time only if
 * a kept connection turns out to have been closed: nothing came back on it, or a 408 (RFC 9110,
 * 15.5.9). The request's `Idempotency-Key` permits that (9.2.2).
 */
import type { Clock } from "../clock.ts";
import { ANSWER_HEADER_BYTES_MAX } from "../limits.ts";
import { NODE_SOCKETS, openConnection, type Sockets } from "./connection.ts";
import { failureOf, type SendFailure } from "./failure.ts";
import type { Guard } from "./guard.ts";
import type { Connection, KeptConnections } from "./kept_connections.ts";
import { Pieces } from "./pieces.ts";
import { agentOn, answerTo, type Post, post, readAnswer } from "./post.ts";
import type { Rule } from "./rules.ts";
import type { Trust } from "./trust.ts";

export interface OutboundRequest {
  readonly uri: string;
  /** Sent along with the request's own `host`, `content-length` and `accept-encoding`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Stops the attempt from outside. */
  readonly signal: AbortSignal;
  /** The lane whose kept connection may be reused. */
  readonly lane: string;
}

export type RequestResult =
  | {
    readonly kind: "answered";
    readonly status: number;
    /** As received: not decompressed, not decoded. */
    readonly body: Uint8Array;
    readonly truncated: boolean;
    readonly address: string;
    /** The `Retry-After` header, as received. */
    readonly retryAfter?: string;
  }
  | {
    readonly kind: "failed";
    readonly code: SendFailure;
    /** The rule that a refused destination breaks. */
    readonly rule?: Rule;
    readonly address?: string;
    /** No connection came about, so nothing was sent. */
    readonly unsent?: true;
  };

/** The result of a request, and whether it was sent twice. */
export type Sent = RequestResult & {
  /** Where it was first sent, on a kept connection that was in fact closed: it may have arrived. */
  readonly firstSentTo?: string;
};

/** Never rejects for anything that a destination does. */
export type SendRequest = (request: OutboundRequest) => Promise<Sent>;

/** What bounds every request. */
export interface SendLimits {
  /** For TCP connect and TLS handshake together. */
  readonly connectTimeoutMs: number;
  /** For everything, from name resolution to the last byte of the answer. */
  readonly attemptTimeoutMs: number;
  /** A longer answer is cut here. */
  readonly answerBytesMax: number;
}

export interface SendRequestParts {
  readonly guard: Guard;
  readonly clock: Clock;
  readonly limits: SendLimits;
  readonly trust: Trust;
  readonly sockets?: Sockets;
  /** Where connections wait for their next request. */
  readonly kept: KeptConnections;
}

/** How long what came before the deadline may take to be read. */
const READ_MS = 100;

export function createSendRequest(parts: SendRequestParts): SendRequest {
  const { clock, limits } = parts;
  return async (request) => {
    const ending = new AbortController();
    let isLate = false;
    let cancel = clock.after(limits.attemptTimeoutMs, () => {
      // What came in time may be unread: the process may have been stopped, or busy.
      cancel = clock.after(READ_MS, () => {
        isLate = true;
        ending.abort();
      });
    });
    const stop = () => ending.abort();
    if (request.signal.aborted) stop();
    request.signal.addEventListener("abort", stop);
    const { signal } = ending;
    try {
      const result = await attempt(request, signal, parts);
      if (result.kind === "answered" || result.rule !== undefined || !signal.aborted) return result;
      // Whatever failed, it failed because we ended it.
      return { ...result, code: isLate ? "timed_out" : "stopped" };
    } finally {
      cancel();
      request.signal.removeEventListener("abort", stop);
    }
  };
}

async function attempt(
  request: OutboundRequest,
  signal: AbortSignal,
  { guard, clock, kept, trust, sockets = NODE_SOCKETS, limits }: SendRequestParts,
): Promise<Sent> {
  const vetted = await guard.vet(request.uri, signal);
  if (vetted.kind === "refused") {
    return { kind: "failed", code: "destination_refused", rule: vetted.rule };
  }
  if (vetted.kind === "unresolved") return { kind: "failed", code: vetted.code, unsent: true };
  const { url, addresses } = vetted;
  const known = kept.take(request.lane, addresses);
  const outgoing = { ...request, url, signal, answerBytesMax: limits.answerBytesMax };
  let firstSentTo: string | undefined;
  if (known !== undefined) {
    const result = await sendOn(known, outgoing, kept);
    if (typeof result === "object" && !isTooLate(result)) return result;
    if (result !== "unsent") firstSentTo = known.address;
  }
  const opened = await openConnection(
    { url, addresses, trust, sockets },
    { clock, timeoutMs: limits.connectTimeoutMs, signal },
  );
  const again = firstSentTo === undefined ? undefined : { firstSentTo };
  if (opened.kind === "failed") return { ...opened, unsent: true, ...again };
  const { socket, address } = opened;
  const agent = agentOn(socket);
  const heldBytesMax = 2 * ANSWER_HEADER_BYTES_MAX + limits.answerBytesMax;
  const pieces = new Pieces(socket, { clock, heldBytesMax });
  const connection = { socket, address, agent, pieces, openedAt: clock.now() };
  const result = await sendOn(connection, outgoing, kept);
  if (typeof result === "string") {
    const unsent = result === "unsent" ? { unsent: true as const } : undefined;
    return { kind: "failed", code: "connection_lost", address, ...unsent, ...again };
  }
  return again === undefined ? result : { ...result, ...again };
}

/** Whether an answer may be about the idle connection, not about the request sent on it. */
function isTooLate(result: RequestResult): boolean {
  return result.kind === "answered" && result.status === 408;
}

/**
 * Sends on an open connection; returns `unanswered` if it broke before anything came back, `unsent`
 * if before anything went out.
 */
async function sendOn(
  connection: Connection,
  request: Post & Pick<OutboundRequest, "signal" | "lane">,
  kept: KeptConnections,
): Promise<RequestResult | "unanswered" | "unsent"> {
  const { socket, address, pieces } = connection;
  const { signal, lane, answerBytesMax } = request;
  const bytesBefore = socket.bytesRead;
  const end = () => socket.destroy();
  // An event that has fired already does not fire again.
  if (signal.aborted || socket.destroyed) {
    end();
    return "unsent";
  }
  signal.addEventListener("abort", end);
  let isReusable = false;
  try {
    const { outgoing, isClear } = post(request, connection);
    const incoming = await answerTo(outgoing, pieces);
    // The type also covers a server's incoming messages, which have no status.
    const status = incoming.statusCode ?? 0;
    // 101 switches to a protocol that was not asked for: what follows is not HTTP.
    if (status < 200) return { kind: "failed", code: "invalid_answer", address };
    const answer = await readAnswer(incoming, pieces, answerBytesMax);
    isReusable = !answer.truncated && pieces.isEmpty && !pieces.isBroken && isClear();
    const retryAfter = incoming.headers["retry-after"];
    const asked = retryAfter === undefined ? {} : { retryAfter };
    return { kind: "answered", status, ...answer, address, ...asked };
  } catch (error) {
    const code = failureOf(error);
    const isUnanswered = code === "connection_lost" && socket.bytesRead === bytesBefore;
    return isUnanswered && !signal.aborted ? "unanswered" : { kind: "failed", code, address };
  } finally {
    signal.removeEventListener("abort", end);
    pieces.answer = undefined;
    if (isReusable) kept.keep(lane, connection);
    else socket.destroy();
  }
}
