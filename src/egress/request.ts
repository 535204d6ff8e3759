/**
 * One guarded HTTP request: an export's bytes to its destination, and what came back. Never
 * follows a redirect, never tries twice, never decompresses, and never reads more than it was
 * told to.
 */
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { ANSWER_HEADER_BYTES_MAX, ANSWER_WIRE_FACTOR, INTERIM_ANSWERS_MAX } from "../limits.ts";
import { NODE_SOCKETS, openConnection, type Sockets } from "./connection.ts";
import { type FailureCode, failureOf, TOO_LONG } from "./failure.ts";
import type { Guard } from "./guard.ts";
import type { Rule } from "./rules.ts";
import { createTrust } from "./trust.ts";

export type { FailureCode } from "./failure.ts";

export interface OutboundRequest {
  readonly uri: string;
  /** Sent along with the request's own `host`, `content-length` and `accept-encoding`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Over TCP connect and TLS handshake. */
  readonly connectTimeoutMs: number;
  /** Over everything, name resolution and the last byte of the answer included. */
  readonly attemptTimeoutMs: number;
  /** A longer answer is cut here. */
  readonly answerBytesMax: number;
  /** Stops the attempt from outside. */
  readonly signal?: AbortSignal;
}

export type RequestResult =
  | {
    readonly kind: "answered";
    readonly status: number;
    /** As it came: not decompressed, not decoded. */
    readonly body: Uint8Array;
    readonly truncated: boolean;
    readonly address: string;
    /** The header of that name, as it came. */
    readonly retryAfter?: string;
  }
  | {
    readonly kind: "failed";
    readonly code: FailureCode;
    /** The rule that a refused destination breaks. */
    readonly rule?: Rule;
    readonly address?: string;
  };

/** Never rejects for anything that a destination does. */
export type SendRequest = (request: OutboundRequest) => Promise<RequestResult>;

export interface SendRequestParts {
  readonly guard: Guard;
  readonly clock: Clock;
  /** PEM certificates trusted besides the default roots. */
  readonly extraCa?: string;
  readonly sockets?: Sockets;
}

export function createSendRequest(parts: SendRequestParts): SendRequest {
  const { guard, clock, extraCa, sockets = NODE_SOCKETS } = parts;
  const trust = createTrust(extraCa);

  async function attempt(request: OutboundRequest, signal: AbortSignal): Promise<RequestResult> {
    const vetted = await guard.vet(request.uri, signal);
    if (vetted.kind === "refused") {
      return { kind: "failed", code: "destination_refused", rule: vetted.rule };
    }
    if (vetted.kind === "unresolved") return { kind: "failed", code: vetted.code };
    const { url, addresses } = vetted;
    const limits = { clock, timeoutMs: request.connectTimeoutMs, signal };
    const opened = await openConnection({ url, addresses, trust, sockets }, limits);
    if (opened.kind === "failed") return opened;
    const { socket, address } = opened;
    try {
      const incoming = await answerTo(post(request, { url, socket }));
      // The types allow for a server's messages, which have no status.
      const status = incoming.statusCode ?? 0;
      // 101 is a protocol that was not asked for: what follows is not HTTP.
      if (status < 200) return { kind: "failed", code: "invalid_answer", address };
      const answer = await readBody(incoming, request.answerBytesMax);
      const retryAfter = incoming.headers["retry-after"];
      const asked = retryAfter === undefined ? {} : { retryAfter };
      return { kind: "answered", status, ...answer, address, ...asked };
    } catch (error) {
      return { kind: "failed", code: failureOf(error), address };
    } finally {
      socket.destroy();
    }
  }

  return async (request) => {
    const deadline = new AbortController();
    const cancel = clock.after(request.attemptTimeoutMs, () => deadline.abort());
    const ends = [deadline.signal, ...(request.signal === undefined ? [] : [request.signal])];
    const signal = AbortSignal.any(ends);
    try {
      const result = await attempt(request, signal);
      if (result.kind === "answered" || result.rule !== undefined || !signal.aborted) return result;
      // Whatever broke, it broke because it was ended from here.
      return { ...result, code: deadline.signal.aborted ? "timed_out" : "stopped" };
    } finally {
      cancel();
    }
  };
}

/** Knows no proxy: the environment's would have its credentials sent to the destination. */
const DIRECT = { keepAlive: false, proxyEnv: {} };

function post(
  { headers, body, answerBytesMax }: OutboundRequest,
  { url, socket }: { readonly url: URL; readonly socket: Socket },
): ClientRequest {
  const agent = new Agent(DIRECT);
  agent.createConnection = () => socket;
  const outgoing = httpRequest({
    agent,
    method: "POST",
    path: url.pathname + url.search,
    headers: {
      ...headers,
      host: url.host,
      "content-length": body.byteLength,
      // No decompression here, so no decompression bomb.
      "accept-encoding": "identity",
    },
    maxHeaderSize: ANSWER_HEADER_BYTES_MAX,
  });
  outgoing.end(body);
  bound(outgoing, socket, answerBytesMax);
  return outgoing;
}

/**
 * Ends an answer that never gets anywhere: interim answers, chunk extensions, empty lines. The
 * parser's own limit is on the headers of one message.
 */
function bound(outgoing: ClientRequest, socket: Socket, answerBytesMax: number): void {
  const tooLong = Object.assign(new Error("The answer takes too many bytes"), { code: TOO_LONG });
  let interim = 0;
  outgoing.on("information", () => {
    if (++interim > INTERIM_ANSWERS_MAX) outgoing.destroy(tooLong);
  });
  let left = 2 * ANSWER_HEADER_BYTES_MAX + ANSWER_WIRE_FACTOR * answerBytesMax;
  socket.on("data", (part: Uint8Array) => {
    left -= part.byteLength;
    if (left < 0) outgoing.destroy(tooLong);
  });
}

/** The head of the answer; rejects if none comes. */
function answerTo(outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Instead of "response" where the answer is 101.
    outgoing.once("upgrade", resolve);
    outgoing.once("response", (incoming) => {
      // The parser goes on with what it has, also when the request was ended.
      if (outgoing.destroyed) return;
      resolve(incoming);
      // What breaks the request now breaks the rest of the answer, and knows why.
      outgoing.on("error", (error) => {
        if (!incoming.complete) incoming.destroy(error);
      });
    });
    outgoing.on("error", reject);
  });
}

/** The whole body, or its first `bytesMax` bytes; rejects if it ends early. */
async function readBody(incoming: IncomingMessage, bytesMax: number) {
  // One buffer that grows: kept one by one, small parts would take a hundred times their bytes.
  const buffer = new ArrayBuffer(0, { maxByteLength: bytesMax });
  const body = new Uint8Array(buffer);
  for await (const part of incoming) {
    const at = body.length;
    const kept = part.subarray(0, bytesMax - at);
    buffer.resize(at + kept.length);
    body.set(kept, at);
    if (kept.length < part.length) return { body: body.slice(), truncated: true };
  }
  return { body: body.slice(), truncated: false };
}
