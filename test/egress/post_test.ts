/** How an answer is read: so many parts at a time, up to its limit, and no further. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { ClientRequest, IncomingMessage } from "node:http";
import { EventEmitter, once } from "node:events";
import { Socket } from "node:net";
import { Readable } from "node:stream";
import { systemClock } from "../../src/clock.ts";
import { Pieces } from "../../src/egress/pieces.ts";
import { failureOf } from "../../src/egress/failure.ts";
import { answerTo, readAnswer } from "../../src/egress/post.ts";
import { ANSWER_PART_BYTES, ANSWER_SMALL_PARTS_MAX } from "../../src/limits.ts";

const ANSWER_BYTES_MAX = 1_000_000;

/** An answer that comes in `count` parts. */
function answerIn(count: number, partBytes = 1): IncomingMessage {
  const parts = Array.from({ length: count }, () => new Uint8Array(partBytes));
  const incoming = Readable.from(parts) as IncomingMessage;
  incoming.complete = false;
  return incoming.once("end", () => incoming.complete = true);
}

/** Reads an answer that comes in one piece. */
function readAtOnce(incoming: IncomingMessage, answerBytesMax = ANSWER_BYTES_MAX) {
  return readAnswer(incoming, { parts: 0 }, answerBytesMax);
}

Deno.test("a request whose connection closes without an error has no answer", async () => {
  const outgoing = new EventEmitter() as ClientRequest;
  const answer = answerTo(
    outgoing,
    new Pieces(new Socket(), { clock: systemClock, heldBytesMax: 1 }),
  );
  outgoing.emit("close");
  assertEquals(await answer.catch(failureOf), "connection_lost");
});

Deno.test("each part that is read is counted, for others to have their turn", async () => {
  const pieces = { parts: 7 };
  await readAnswer(answerIn(20), pieces, ANSWER_BYTES_MAX);
  assertEquals(pieces.parts, 27);
});

Deno.test("an answer that ends early is none", async () => {
  const incoming = new Readable({ read() {} }) as IncomingMessage;
  incoming.complete = false;
  const answer = readAtOnce(incoming);
  incoming.push(new Uint8Array(1));
  incoming.destroy();
  await assertRejects(() => answer, Error, "ended early");
});

Deno.test("an answer of any number of parts is whole if they are not tiny", async () => {
  const count = ANSWER_SMALL_PARTS_MAX + 2_000;
  const { body, truncated } = await readAtOnce(answerIn(count, ANSWER_PART_BYTES));
  assertEquals([body.length, truncated], [count * ANSWER_PART_BYTES, false]);
});

const CUTS: readonly (readonly [what: string, count: number, partBytes: number, max: number])[] = [
  ["too long", 10, 100, 450],
  ["in too many tiny parts", 2 * ANSWER_SMALL_PARTS_MAX, 1, ANSWER_BYTES_MAX],
];

for (const [what, count, partBytes, max] of CUTS) {
  Deno.test(`where an answer is ${what}, no more of it is read, and no more memory held`, async () => {
    const incoming = answerIn(count, partBytes);
    let parts = 0;
    incoming.on("data", () => parts++);
    const { body, truncated } = await readAtOnce(incoming, max);
    if (!incoming.closed) await once(incoming, "close");
    assertEquals([truncated, body.buffer.byteLength], [true, body.length]);
    assert(parts < count, `all ${parts} parts were read`);
  });
}
