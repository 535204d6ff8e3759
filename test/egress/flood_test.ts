/** Answers that never end, each in its way: they end at a limit of bytes, long before the deadline. */
import { assert, assertEquals } from "@std/assert";
import {
  ANSWER_HEADER_BYTES_MAX,
  ANSWER_SMALL_PARTS_MAX,
  INTERIM_ANSWERS_MAX,
} from "../../src/limits.ts";
import { type Act, answering, flooding } from "./destination.ts";
import { listenByTls, readFixture } from "./tls.ts";
import { answered, assertFails, outcome, send } from "./sending.ts";

const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const INTERIM = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";

const FLOODS: Record<string, Act> = {
  "interim answers": flooding("", INTERIM),
  "invitations to continue": flooding("", "HTTP/1.1 100 Continue\r\n\r\n"),
  "empty lines before an answer": flooding("", "\r\n".repeat(500)),
  "digits of a status": flooding("HTTP/1.1 200", "0".repeat(1_000)),
  "a reason": flooding("HTTP/1.1 200 ", "y".repeat(1_000)),
  "headers": flooding("HTTP/1.1 200 OK\r\n", "x: y\r\n".repeat(100)),
  "the name of a header": flooding("HTTP/1.1 200 OK\r\n", "x".repeat(1_000)),
  "the value of a header": flooding("HTTP/1.1 200 OK\r\nx: ", "y".repeat(1_000)),
  "lines of a folded header": flooding("HTTP/1.1 200 OK\r\nx: y\r\n", " z\r\n".repeat(100)),
  "zeros of a chunk's size": flooding(CHUNKED, "0".repeat(1_000)),
  "a chunk's extension": flooding(`${CHUNKED}1;`, "x".repeat(1_000)),
  "chunks with long extensions": flooding(CHUNKED, `1;${"x".repeat(1_000)}\r\ny\r\n`),
  "trailers": flooding(`${CHUNKED}1\r\nx\r\n0\r\n`, "x: y\r\n".repeat(100)),
  "the value of a trailer": flooding(`${CHUNKED}1\r\nx\r\n0\r\nx: `, "y".repeat(1_000)),
};

for (const [flood, act] of Object.entries(FLOODS)) {
  Deno.test(`an answer with endless ${flood} is invalid`, async () => {
    await assertFails("invalid_answer", act);
  });
}

const LENGTHS: readonly string[] = [
  "content-length: 99999999999999999999",
  "content-length: -1",
  "content-length: 5\r\ncontent-length: 6",
  "content-length: 5\r\ntransfer-encoding: chunked",
];

for (const lengths of LENGTHS) {
  Deno.test(`an answer with ${lengths.replace("\r\n", " and ")} is invalid`, async () => {
    await assertFails("invalid_answer", flooding(`HTTP/1.1 200 OK\r\n${lengths}\r\n\r\n`, "x"));
  });
}

Deno.test("what floods over TLS ends as well", async () => {
  await using destination = await listenByTls(flooding("", "\r\n".repeat(500)));
  const uri = `https://dest.localhost:${destination.port}/`;
  const result = await send(uri, { extraCa: await readFixture("ca.pem") });
  assertEquals(result, { kind: "failed", code: "invalid_answer", address: "127.0.0.1" });
});

Deno.test("small chunks fill an answer; it is cut where they are tiny and very many", async () => {
  const act = flooding(CHUNKED, "1\r\nx\r\n".repeat(100));
  const filled = await outcome(act, { answerBytesMax: 16_000 });
  assertEquals(filled, answered(200, "x".repeat(16_000), true));
  const cut = await outcome(act, { answerBytesMax: 100_000 });
  const bytes = cut.kind === "answered" ? cut.body.length : 0;
  assertEquals(cut, answered(200, "x".repeat(bytes), true));
  assert(bytes > ANSWER_SMALL_PARTS_MAX && bytes < 20_000, `${bytes}`);
});

Deno.test("what is asked of an honest answer is well within the limits", async () => {
  const interim = INTERIM.repeat(INTERIM_ANSWERS_MAX);
  const filler = `x: ${"y".repeat(ANSWER_HEADER_BYTES_MAX - 1_000)}\r\n`;
  const body = `${CHUNKED.replace("\r\n\r\n", `\r\n${filler}\r\n`)}2\r\nhi\r\n0\r\nx: y\r\n\r\n`;
  assertEquals(await outcome(answering(interim + body)), answered(200, "hi"));
});

Deno.test("one interim answer too many makes an answer invalid", async () => {
  const act = answering(`${INTERIM.repeat(INTERIM_ANSWERS_MAX + 1)}HTTP/1.1 204 No\r\n\r\n`);
  await assertFails("invalid_answer", act);
});

Deno.test("an answer without a body has none, whatever follows", async () => {
  for (const status of [204, 304]) {
    const act = flooding(`HTTP/1.1 ${status} No\r\n\r\n`, "x".repeat(100));
    assertEquals(await outcome(act), answered(status, ""));
  }
});

Deno.test("an answer said to be compressed is kept as it came, and counted so", async () => {
  const bomb = new Uint8Array(
    await new Response(
      new Blob([new Uint8Array(4_000_000)]).stream().pipeThrough(new CompressionStream("gzip")),
    ).arrayBuffer(),
  );
  const text = String.fromCharCode(...bomb);
  const head =
    `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`;
  const act: Act = async (conn) => {
    await answering(head)(conn);
    await conn.write(bomb);
  };
  const answer = await outcome(act, { answerBytesMax: bomb.length });
  assertEquals(answer.kind === "answered" && String.fromCharCode(...answer.body) === text, true);
  assertEquals(answer.kind === "answered" && answer.truncated, false);
});
