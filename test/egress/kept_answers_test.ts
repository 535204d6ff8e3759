/**
 * Which answers leave a connection fit for the next request, and which do not: no answer, nor a
 * part of one, is ever taken for that of another request.
 */
import { assertEquals } from "@std/assert";
import { NEVER } from "../fakes/test_egress.ts";
import { hear, listen, say, silent } from "./destination.ts";
import { ANSWER_BYTES_MAX, HANG_UP, ok, stage } from "./keeping.ts";

const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n";
const HALF_A_HEAD = "HTTP/1.1 200 OK\r\nx: ";
const long = (bytes: number) =>
  `HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n${"a".repeat(bytes)}`;

/** Answers after which the connection carries the next request. */
const CLEAR: Record<string, string> = {
  "with a length": ok("a"),
  "without a body": "HTTP/1.1 204 No Content\r\n\r\n",
  "with an empty body": "HTTP/1.1 500 Oh no\r\ncontent-length: 0\r\n\r\n",
  "in chunks": `${CHUNKED}\r\n`,
  "in chunks, with trailers": `${CHUNKED}x: y\r\n\r\n`,
  "of HTTP/1.0 that says so":
    "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na",
  "up to the limit": long(ANSWER_BYTES_MAX),
};

/** Answers after which it does not. */
const UNCLEAR: Record<string, string> = {
  "that says so": "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 1\r\n\r\na",
  "of HTTP/1.0": "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\na",
  "over the limit": long(ANSWER_BYTES_MAX + 1),
  "that has a body where none may be": "HTTP/1.1 204 No Content\r\ncontent-length: 1\r\n\r\na",
  "and another one": ok("a") + ok("z"),
  "and an interim one": `${ok("a")}HTTP/1.1 100 Continue\r\n\r\n`,
  "and an empty line": `${ok("a")}\r\n`,
  "and nonsense": `${ok("a")}and more`,
  "and the first letter of another one": `${ok("a")}H`,
  "and half a head": ok("a") + HALF_A_HEAD,
  "in chunks, and another one": `${CHUNKED}\r\n${ok("z")}`,
  "in chunks, and half a head": `${CHUNKED}\r\n${HALF_A_HEAD}`,
  "without a body, and half a head": `HTTP/1.1 204 No Content\r\n\r\n${HALF_A_HEAD}`,
};

/** Has a first request answered with `answer`, and tells on which connections two were heard. */
async function heardAfter(answer: string): Promise<readonly string[]> {
  await using at = stage((conn, { nth }) => say(conn, nth === 1 ? answer : ok("b")));
  const [, status = ""] = answer.split(" ");
  const first = await at.send("1");
  assertEquals(first.split(" ")[0], status);
  // Whichever connection it is on, nothing of the first answer is in the second one.
  assertEquals(await at.send("2"), at.heard[1] === "12" ? "200 b" : first);
  return at.heard;
}

for (const [answer, text] of Object.entries(CLEAR)) {
  Deno.test(`the next request goes over the same connection after an answer ${answer}`, async () => {
    assertEquals(await heardAfter(text), ["11", "12"]);
  });
}

for (const [answer, text] of Object.entries(UNCLEAR)) {
  Deno.test(`the next request has a new connection after an answer ${answer}`, async () => {
    assertEquals(await heardAfter(text), ["11", "22"]);
  });
}

Deno.test("an answer that ends with its connection leaves none", async () => {
  await using at = stage(async (conn) => {
    await say(conn, "HTTP/1.1 200 OK\r\n\r\na");
    return HANG_UP;
  });
  assertEquals([await at.send("1"), await at.send("2")], ["200 a", "200 a"]);
  assertEquals(at.heard, ["11", "22"]);
});

Deno.test("an answer that comes in pieces does not spoil the next one", async () => {
  for (const text of [ok("a"), `${CHUNKED}\r\n`]) {
    for (let cut = 1; cut < text.length; cut++) {
      await using at = stage(async (conn) => {
        (conn as Deno.TcpConn).setNoDelay();
        for (const piece of [text.slice(0, cut), text.slice(cut)]) await say(conn, piece);
      });
      assertEquals([await at.send("1"), await at.send("2")], ["200 a", "200 a"], `${cut}`);
    }
  }
});

Deno.test("what comes on a connection that waits closes it", async () => {
  for (const stray of ["", "\r\n", "H", ok("z"), "HTTP/1.1 408 Request Timeout\r\n\r\n"]) {
    const left = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    await using at = stage(async (conn, { conn: own }) => {
      await say(conn, ok("a"));
      if (own > 1) return;
      await answered.promise;
      await (stray === "" ? (conn as Deno.TcpConn).closeWrite() : say(conn, stray));
      await silent(conn);
      left.resolve();
      return HANG_UP;
    });
    assertEquals(await at.send("1"), "200 a");
    answered.resolve();
    await left.promise;
    assertEquals(at.clock.pending, 0);
    assertEquals(await at.send("2"), "200 a");
    assertEquals(at.heard, ["11", "22"]);
  }
});

Deno.test("a destination that answers before it has heard all hears the next request elsewhere", async () => {
  const done = Promise.withResolvers<void>();
  await using deaf = listen(async (conn) => {
    if (deaf.accepted > 1) await hear(conn);
    await say(conn, ok("a"));
    await done.promise;
  });
  await using at = stage(silent);
  const uri = `http://dest.localhost:${deaf.port}/`;
  for (const bytes of [8_000_000, 1]) {
    const request = { uri, headers: {}, body: new Uint8Array(bytes), lane: "lane", signal: NEVER };
    assertEquals((await at.egress.send(request)).kind, "answered");
  }
  assertEquals(deaf.accepted, 2);
  done.resolve();
});

Deno.test("a 408 on a kept connection is about its waiting; on a fresh one it is the answer", async () => {
  const late = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
  for (const first of [ok("a"), late]) {
    await using at = stage((conn, { conn: own, nth }) => {
      return say(conn, nth > 1 ? late : own > 1 ? ok("b") : first);
    });
    assertEquals(await at.send("1"), first === late ? "408" : "200 a");
    assertEquals(await at.send("2"), "200 b");
    assertEquals(at.heard, first === late ? ["11", "22"] : ["11", "12", "22"]);
  }
});
