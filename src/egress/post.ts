/** HTTP on one connection: the request goes out, the head and the body of its answer come back. */
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import { GrowingBytes } from "../growing_bytes.ts";
import { ANSWER_HEADER_BYTES_MAX, ANSWER_PART_BYTES, ANSWER_SMALL_PARTS_MAX } from "../limits.ts";
import type { Pieces } from "./pieces.ts";
import { type IsClear, watch } from "./wire.ts";

/** What is to be sent. */
export interface Post {
  readonly url: URL;
  /** Sent along with the request's own `host`, `content-length` and `accept-encoding`. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** A longer answer is cut here. */
  readonly answerBytesMax: number;
}

/** No proxy: with one from the environment, its credentials would be sent to the destination. */
const DIRECT = { proxyEnv: {} };

/**
 * Speaks HTTP on `socket` and on nothing else, for several requests in turn. Bypasses Node's own way
 * of handing out sockets: if a reused socket breaks, even if we ended it, Deno 2.9.6 resends by
 * itself and waits for a new one.
 */
export function agentOn(socket: Socket): Agent {
  const addRequest = (outgoing: ClientRequest) => outgoing.onSocket(socket);
  return Object.assign(new Agent({ ...DIRECT, keepAlive: true }), { addRequest });
}

/** Sends the request; {@link answerTo} gives its answer, `isClear` whether nothing is left over. */
export function post(
  { url, headers, body, answerBytesMax }: Post,
  { agent, socket }: { readonly agent: Agent; readonly socket: Socket },
): { readonly outgoing: ClientRequest; readonly isClear: IsClear } {
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
  return { outgoing, isClear: watch(outgoing, socket, answerBytesMax) };
}

/** The head of the answer; rejects if none comes. `pieces` then wait for {@link readAnswer}. */
export function answerTo(outgoing: ClientRequest, pieces: Pieces): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // Emitted instead of "response" if the answer is 101.
    outgoing.once("upgrade", resolve);
    outgoing.once("response", (incoming) => {
      // The parser goes on with what it has, even after the request was destroyed.
      if (outgoing.destroyed) return;
      pieces.answer = incoming;
      resolve(incoming);
      // An error of the request now breaks the rest of the answer, and is passed on as the cause.
      outgoing.on("error", (error) => {
        if (!incoming.complete) incoming.destroy(error);
      });
    });
    outgoing.on("error", reject);
    // Without an error if one broke the connection before this request: Deno 2.9.6 tells it once.
    outgoing.on("close", reject);
  });
}

/** Room for most answers. */
const BUFFER_BYTES = 4_096;

/** The whole body, or its first `bytesMax` bytes; rejects if it ends early. */
export function readAnswer(
  incoming: IncomingMessage,
  pieces: Pick<Pieces, "parts">,
  bytesMax: number,
): Promise<{ readonly body: Uint8Array; readonly truncated: boolean }> {
  const content = new GrowingBytes(BUFFER_BYTES, bytesMax);
  return new Promise((resolve, reject) => {
    let parts = 0;
    const end = (truncated: boolean) => resolve({ body: content.bytes().slice(), truncated });
    incoming.on("data", (part: Uint8Array) => {
      const kept = part.subarray(0, bytesMax - content.length);
      content.append(kept);
      pieces.parts++;
      const partsMax = ANSWER_SMALL_PARTS_MAX + content.length / ANSWER_PART_BYTES;
      if (kept.length < part.length || ++parts > partsMax) {
        end(true);
        incoming.destroy();
      }
    });
    incoming.once("end", () => end(false));
    incoming.once("error", reject);
    incoming.once("close", () => {
      if (!incoming.complete) reject(new Error("The answer ended early"));
    });
  });
}
