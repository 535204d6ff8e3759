/** Whether a connection is fit for another request, by what came over it and when. */
import { assertEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { EventEmitter } from "node:events";
import type { ClientRequest } from "node:http";
import type { Socket } from "node:net";
import { watch } from "../../src/egress/wire.ts";

const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
const LENGTH = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na";

/** What a test does to a request beyond having it answered. */
interface Variation {
  readonly answer?: string;
  readonly isSent?: boolean;
  readonly isComplete?: boolean;
  readonly shouldKeepAlive?: boolean;
  /** How many bytes of the answer come in a part of their own, before the rest. */
  readonly cut?: number;
  /** Comes in a part of its own, once the answer is complete. */
  readonly more?: string;
}

/** Plays a request and its answer on parts that only tell what happens. */
function isClearAfter(
  { answer = LENGTH, cut = 0, isSent = true, isComplete = true, shouldKeepAlive = true, more }:
    Variation,
): boolean {
  const [outgoing, socket] = [new EventEmitter(), new EventEmitter()];
  Object.assign(outgoing, { shouldKeepAlive });
  const isClear = watch(outgoing as ClientRequest, socket as Socket, 1_000);
  if (isSent) outgoing.emit("finish");
  const incoming = {
    complete: false,
    headers: answer === LENGTH ? { "content-length": "1" } : {},
  };
  // As the parser has it: the part is counted before it is told what is in it.
  socket.emit("data", Buffer.from(answer.slice(0, cut)));
  socket.emit("data", Buffer.from(answer.slice(cut)));
  outgoing.emit("response", incoming);
  incoming.complete = isComplete;
  if (more !== undefined) socket.emit("data", Buffer.from(more));
  return isClear();
}

Deno.test("where request and answer went over whole, a connection is fit for another", () => {
  for (const answer of [LENGTH, CHUNKED]) assertEquals(isClearAfter({ answer }), true);
});

Deno.test("where the end of the head came in two parts, nobody can tell what came behind it", () => {
  const head = LENGTH.length - 1;
  for (const cut of [head - 3, head - 2, head - 1]) {
    assertEquals(isClearAfter({ answer: LENGTH, cut, more: "x" }), false);
    assertEquals(isClearAfter({ answer: LENGTH, cut }), false);
  }
  assertEquals(isClearAfter({ answer: LENGTH, cut: head - 4 }), true);
});

const UNFIT: Record<string, Variation> = {
  "its request was not sent whole": { isSent: false },
  "its answer is not there whole": { isComplete: false },
  "one of the two ends it": { shouldKeepAlive: false },
  "more came behind the answer": { more: "x" },
  "a whole head came behind the answer": { more: "HTTP/1.1 100 Continue\r\n\r\n" },
};

for (const [why, variation] of Object.entries(UNFIT)) {
  Deno.test(`where ${why}, a connection is not fit for another request`, () => {
    for (const answer of [LENGTH, CHUNKED]) {
      assertEquals(isClearAfter({ ...variation, answer }), false);
    }
  });
}

Deno.test("once a request is over, nothing of it listens on the connection any more", () => {
  const [outgoing, socket] = [new EventEmitter(), new EventEmitter()];
  watch(outgoing as ClientRequest, socket as Socket, 1_000);
  assertEquals(socket.eventNames(), ["data"]);
  outgoing.emit("close");
  assertEquals(socket.eventNames(), []);
});
