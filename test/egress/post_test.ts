/** How an answer is read: so many parts at a time, up to its limit, and no further. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import { Readable } from "node:stream";
import { readAnswer } from "../../src/egress/post.ts";
import {
  ANSWER_PART_BYTES,
  ANSWER_PARTS_A_TURN,
  ANSWER_SMALL_PARTS_MAX,
} from "../../src/limits.ts";

const ANSWER_BYTES_MAX = 1_000_000;

/** An answer that comes in `count` parts. */
function answerIn(count: number, partBytes = 1): IncomingMessage {
  const parts = Array.from({ length: count }, () => new Uint8Array(partBytes));
  const incoming = Readable.from(parts) as IncomingMessage;
  incoming.complete = false;
  return incoming.once("end", () => incoming.complete = true);
}

/** An answer that comes piece by piece, and whether its reader is ready for the next one. */
function readInPieces() {
  const incoming = new Readable({ read() {} }) as IncomingMessage;
  incoming.complete = false;
  incoming.once("end", () => incoming.complete = true);
  const pieces = { isReady: () => true };
  const answer = readAnswer(incoming, pieces, ANSWER_BYTES_MAX);
  /** Brings a piece of `parts` parts, and lets it be read unless somebody holds it up. */
  const bring = async (parts: number) => {
    for (let n = 0; n < parts; n++) incoming.push(new Uint8Array(1));
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { incoming, pieces, answer, bring };
}

/** Reads an answer that comes in one piece. */
function readAtOnce(incoming: IncomingMessage, answerBytesMax = ANSWER_BYTES_MAX) {
  return readAnswer(incoming, { isReady: () => true }, answerBytesMax);
}

Deno.test("after a piece of many parts others have their turn before the next one", async () => {
  const { incoming, pieces, answer, bring } = readInPieces();
  await bring(ANSWER_PARTS_A_TURN);
  assertEquals(pieces.isReady(), true, "a piece of few parts");
  await bring(ANSWER_PARTS_A_TURN + 1);
  assertEquals([pieces.isReady(), pieces.isReady()], [false, true]);
  incoming.push(null);
  assertEquals((await answer).body.length, 2 * ANSWER_PARTS_A_TURN + 1);
});

Deno.test("no more is asked for while parts of an answer lie unread", async () => {
  const { incoming, pieces, answer, bring } = readInPieces();
  incoming.pause();
  await bring(1);
  assertEquals(pieces.isReady(), false);
  incoming.resume();
  await bring(0);
  assertEquals(pieces.isReady(), true);
  incoming.push(null);
  assertEquals((await answer).body.length, 1);
});

Deno.test("an answer that ends early is none", async () => {
  const { incoming, answer, bring } = readInPieces();
  await bring(1);
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
