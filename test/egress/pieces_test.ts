/** What a connection receives at once is handed on in pieces, and not before its reader is ready. */
import { assert, assertEquals } from "@std/assert";
import { Socket } from "node:net";
import { Pieces } from "../../src/egress/pieces.ts";
import { ANSWER_PARTS_A_TURN } from "../../src/limits.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { flooding } from "./destination.ts";
import { listenByTls } from "./tls.ts";

const HELD_MAX = 100_000;

/** Lets everything happen that needs no timer. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

/** A socket that receives `parts`, read piece by piece. */
async function receiving(...parts: (Uint8Array | null)[]) {
  const clock = new FakeClock();
  const socket = new Socket();
  const pieces = new Pieces(socket, { clock, heldBytesMax: HELD_MAX });
  const seen: (number | string)[] = [];
  socket.on("data", (piece) => seen.push(piece.length));
  socket.once("end", () => seen.push("end"));
  await turn();
  const more = parts.map((part) => socket.push(part));
  return { clock, socket, pieces, seen, more };
}

/** Leaves the first piece unread, so that the others wait. */
function holdBack({ socket, pieces }: { socket: Socket; pieces: Pieces }): void {
  socket.once("data", () => pieces.answer = { readableLength: 1 });
}

Deno.test("what is long comes in pieces, in its order and whole, and its end comes last", async () => {
  const at = await receiving(new Uint8Array(40_000), new Uint8Array(5), null);
  await turn();
  assertEquals(at.seen, [16_384, 16_384, 7_232, 5, "end"]);
  assert(at.pieces.isEmpty);
});

Deno.test("what is short is handed on as it comes", async () => {
  const at = await receiving(new Uint8Array(16_384));
  assertEquals(at.more, [true]);
  await turn();
  assertEquals(at.seen, [16_384]);
  at.socket.destroy();
});

Deno.test("the bytes are those that were received", async () => {
  const sent = crypto.getRandomValues(new Uint8Array(50_000));
  const socket = new Socket();
  new Pieces(socket, { clock: new FakeClock(), heldBytesMax: HELD_MAX });
  const read: Uint8Array[] = [];
  socket.on("data", (piece) => read.push(piece));
  socket.push(sent);
  await turn();
  assertEquals(
    new Uint8Array(await new Blob(read.map((piece) => piece.slice())).arrayBuffer()),
    sent,
  );
  socket.destroy();
});

Deno.test("while parts of an answer lie unread, the next piece waits for later turns of the event loop", async () => {
  const at = await receiving();
  const answer = { readableLength: 0 };
  at.pieces.answer = answer;
  at.socket.on("data", () => answer.readableLength = 1);
  at.socket.push(new Uint8Array(40_000));
  for (const expected of [[16_384], [16_384, 16_384], [16_384, 16_384, 7_232]]) {
    await turn();
    assertEquals(at.seen, expected);
    answer.readableLength = 0;
    at.clock.advance(0);
  }
  assertEquals([at.pieces.isEmpty, at.clock.pending], [true, 0]);
  at.socket.destroy();
});

Deno.test("after a piece of many parts others have their turn before the next one", async () => {
  const at = await receiving();
  let parts = ANSWER_PARTS_A_TURN;
  at.socket.on("data", () => at.pieces.parts += parts);
  at.socket.push(new Uint8Array(40_000));
  await turn();
  assertEquals(at.seen, [16_384, 16_384, 7_232], "pieces of few parts");
  parts++;
  at.socket.push(new Uint8Array(40_000));
  for (const count of [4, 5, 6]) {
    await turn();
    assertEquals(at.seen.length, count);
    at.clock.advance(0);
  }
  assertEquals([at.pieces.isEmpty, at.clock.pending], [true, 0]);
  at.socket.destroy();
});

Deno.test("more is read from the network while something is held, up to a bound", async () => {
  const at = await receiving();
  holdBack(at);
  const part = new Uint8Array(40_000);
  assertEquals([1, 2, 3, 4].map(() => at.socket.push(part)), [true, true, false, false]);
  at.pieces.answer = undefined;
  at.clock.advance(0);
  await turn();
  assertEquals([at.pieces.isEmpty, at.socket.push(part)], [true, true]);
  at.socket.destroy();
});

Deno.test("what came before a connection broke is handed on first", async () => {
  const at = await receiving();
  at.socket.once("error", ({ message }) => at.seen.push(message));
  holdBack(at);
  at.socket.push(new Uint8Array(40_000));
  await turn();
  at.socket.destroy(Object.assign(new Error("reset"), { syscall: "read" }));
  await turn();
  assertEquals(at.seen, [16_384]);
  at.pieces.answer = undefined;
  at.clock.advance(0);
  await turn();
  assertEquals(at.seen, [16_384, 16_384, 7_232, "reset"]);
});

Deno.test("what we give up ourselves ends at once", async () => {
  for (const error of [undefined, new Error("too long")]) {
    const at = await receiving();
    at.socket.on("error", () => {});
    holdBack(at);
    at.socket.push(new Uint8Array(40_000));
    at.socket.destroy(error);
    await turn();
    assertEquals([at.seen, at.socket.closed, at.clock.pending], [[16_384], true, 0]);
  }
});

Deno.test("of a connection that is closed nothing more is handed on", async () => {
  const at = await receiving();
  holdBack(at);
  at.socket.push(new Uint8Array(40_000));
  await turn();
  assertEquals([at.seen, at.clock.pending, at.pieces.isEmpty], [[16_384], 1, false]);
  at.socket.destroy();
  await turn();
  assertEquals([at.seen, at.clock.pending, at.pieces.isEmpty], [[16_384], 0, true]);
});

Deno.test("nothing is asked of the network while something is held", async () => {
  const clock = new FakeClock();
  const socket = new Socket();
  let asked = 0;
  socket._read = () => asked++;
  const pieces = new Pieces(socket, { clock, heldBytesMax: HELD_MAX });
  socket.once("data", () => pieces.answer = { readableLength: 1 });
  socket.on("data", () => {});
  await turn();
  const before = asked;
  socket.push(new Uint8Array(40_000));
  await turn();
  assertEquals([asked, pieces.isEmpty], [before, false]);
  pieces.answer = undefined;
  clock.advance(0);
  await turn();
  assert(asked > before && pieces.isEmpty, "all is handed on, and more is asked for");
  socket.destroy();
});

Deno.test("an answer in chunks of a byte takes little memory, though the runtime reads MiBs at once", async () => {
  const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  await using destination = await listenByTls(flooding(head, "1\r\nx\r\n".repeat(2_000)));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-net=127.0.0.1", "--allow-read=test/fixtures/tls"],
      ...["test/egress/sending_process.ts", `https://dest.localhost:${destination.port}/`],
    ],
    cwd: new URL("../..", import.meta.url),
    stderr: "inherit",
  }).output();
  const { kind, grownMiB } = JSON.parse(new TextDecoder().decode(stdout));
  assertEquals(kind, "answered");
  // Some 40; it was 900 when the parser got all at once.
  assert(grownMiB < 250, `${grownMiB} MiB`);
});
