/** Requests over real sockets on this machine, to destinations good, broken and hostile. */
import { assert, assertEquals } from "@std/assert";
import { getEventListeners } from "node:events";
import type { Socket } from "node:net";
import { NODE_SOCKETS, type Sockets } from "../../src/egress/connection.ts";
import { type Act, answering, hear, listen, say, silent } from "./destination.ts";
import { answered, assertFails, outcome, send, SHORT_MS } from "./sending.ts";

Deno.test("any status is an answer", async () => {
  const ok = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi");
  assertEquals(await outcome(ok), answered(200, "hi"));
  assertEquals(await outcome(answering("HTTP/1.1 204 No Content\r\n\r\n")), answered(204, ""));
  const broken = answering(
    "HTTP/1.1 500 Oh no\r\ntransfer-encoding: chunked\r\n\r\n1\r\n!\r\n0\r\n\r\n",
  );
  assertEquals(await outcome(broken), answered(500, "!"));
  const untilClosed = answering("HTTP/1.0 599 What\r\n\r\nuntil the end");
  assertEquals(await outcome(untilClosed), answered(599, "until the end"));
});

Deno.test("when a destination says when to come back, that is passed on as it came", async () => {
  const head = "HTTP/1.1 429 Slow down\r\ncontent-length: 0\r\n";
  assertEquals(await outcome(answering(`${head}retry-after: 120\r\n\r\n`)), {
    ...answered(429, ""),
    retryAfter: "120",
  });
});

Deno.test("a redirect is an answer and is not followed", async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    await using target = listen(answering("HTTP/1.1 200 OK\r\n\r\n"));
    const location = `http://dest.localhost:${target.port}/`;
    const head = `HTTP/1.1 ${status} Elsewhere\r\nlocation: ${location}\r\n`;
    const act = answering(`${head}content-length: 5\r\n\r\nthere`);
    assertEquals(await outcome(act), answered(status, "there"));
    assertEquals(target.accepted, 0);
  }
});

Deno.test("the destination gets the bytes and headers it was meant to get", async () => {
  let heard = "";
  await using destination = listen(async (conn) => {
    heard = await hear(conn);
    await say(conn, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  });
  const host = `dest.localhost:${destination.port}`;
  await send(`http://${host}/a%20b/ü?q=1&r=@#part`, {
    headers: { "Content-Type": "application/json", Host: "evil.example", "webhook-id": "x" },
    body: Uint8Array.of(0, 13, 10, 127, 128, 255),
  });
  const [head = "", body] = heard.split("\r\n\r\n");
  const [line, ...headers] = head.split("\r\n");
  assertEquals(line, "POST /a%20b/%C3%BC?q=1&r=@ HTTP/1.1");
  assertEquals(headers.map((each) => each.toLowerCase()).sort(), [
    "accept-encoding: identity",
    "connection: keep-alive",
    "content-length: 6",
    "content-type: application/json",
    `host: ${host}`,
    "webhook-id: x",
  ]);
  assertEquals(body, "\0\r\n\x7f\x80\xff");
});

Deno.test("an answer is cut at its limit, and only beyond it", async () => {
  const act = answering(`HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n0123456789`);
  assertEquals(await outcome(act, { answerBytesMax: 10 }), answered(200, "0123456789"));
  assertEquals(await outcome(act, { answerBytesMax: 9 }), answered(200, "012345678", true));
  assertEquals(await outcome(act, { answerBytesMax: 0 }), answered(200, "", true));
});

Deno.test("an answer of any length is whole up to its limit", async () => {
  const limit = 10_000;
  const text = Array.from({ length: limit }, (_, count) => `${count} `).join("");
  for (const length of [1, 4_095, 4_096, 4_097, 8_192, 8_193, limit - 1, limit, limit + 1]) {
    const act = answering(`HTTP/1.1 200 OK\r\n\r\n${text.slice(0, length)}`);
    const expected = answered(200, text.slice(0, Math.min(length, limit)), length > limit);
    assertEquals(await outcome(act, { answerBytesMax: limit }), expected);
  }
});

Deno.test("an endless answer ends at the limit", async () => {
  const endless: Act = async (conn) => {
    await hear(conn);
    await say(conn, "HTTP/1.1 200 OK\r\n\r\n");
    for (;;) await say(conn, "x".repeat(10_000));
  };
  assertEquals(
    await outcome(endless, { answerBytesMax: 50_000 }),
    answered(200, "x".repeat(50_000), true),
  );
});

Deno.test("a compressed answer is counted and kept as it came", async () => {
  const act = answering(
    "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\nGZIP",
  );
  assertEquals(await outcome(act), answered(200, "GZIP"));
});

Deno.test("interim answers are passed over", async () => {
  const interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
  const act = answering(`${interim}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi`);
  assertEquals(await outcome(act), answered(200, "hi"));
});

Deno.test("bytes after a whole answer do not spoil it", async () => {
  const act = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi and more");
  assertEquals(await outcome(act), answered(200, "hi"));
});

Deno.test("a destination that says nothing is given up at the deadline", async () => {
  await assertFails("timed_out", silent, { attemptTimeoutMs: SHORT_MS });
});

Deno.test("a destination that drips is given up at the deadline", async () => {
  const dripping = (head: string, drop: string): Act => async (conn) => {
    await hear(conn);
    for (await say(conn, head);; await say(conn, drop)) {
      await new Promise((resolve) => setTimeout(resolve, SHORT_MS / 20));
    }
  };
  const variation = { attemptTimeoutMs: SHORT_MS };
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  await assertFails("timed_out", dripping(chunked, "1\r\nx\r\n"), variation);
  await assertFails("timed_out", dripping("HTTP/1.1 200 OK\r\nx: ", "y"), variation);
  await assertFails("timed_out", dripping("", "\r\n"), variation);
});

Deno.test("a connection that ends before the answer does is lost", async () => {
  await assertFails("connection_lost", () => Promise.resolve());
  await assertFails("connection_lost", hear);
  await assertFails("connection_lost", answering("HTTP/1.1 200 O"));
  await assertFails(
    "connection_lost",
    answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
  );
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  await assertFails("connection_lost", answering(`${chunked}4\r\nhalf\r\n`));
});

Deno.test("what is not an HTTP answer within limits is invalid", async () => {
  await assertFails("invalid_answer", answering("SSH-2.0-OpenSSH_9.6\r\n\r\n"));
  const endlessHead = `HTTP/1.1 200 OK\r\n${`x: ${"y".repeat(1_000)}\r\n`.repeat(100)}\r\n`;
  await assertFails("invalid_answer", answering(endlessHead));
  const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
  await assertFails("invalid_answer", answering(`${chunked}4\r\nhalf\r\nnonsense\r\n`));
  const upgrade = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
  await assertFails("invalid_answer", answering(upgrade));
  await assertFails("invalid_answer", answering("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
});

Deno.test("a port where nobody listens refuses the connection", async () => {
  const destination = listen(silent);
  await destination[Symbol.asyncDispose]();
  const refused = { kind: "failed", code: "connection_refused", address: "127.0.0.1" };
  const expected = { ...refused, unsent: true };
  assertEquals(await send(`http://dest.localhost:${destination.port}/`), expected);
});

Deno.test("a name without addresses fails without a connection", async () => {
  const uri = "https://gone.example/";
  const expected = { kind: "failed", code: "dns_error", unsent: true };
  assertEquals(await send(uri, { resolve: () => Promise.resolve([]) }), expected);
  assertEquals(
    await send(uri, { resolve: () => Promise.reject(new Error("EAI_AGAIN")) }),
    expected,
  );
});

Deno.test("the deadline covers the resolver", async () => {
  const variation = { resolve: () => new Promise<never>(() => {}), attemptTimeoutMs: SHORT_MS };
  const expected = { kind: "failed", code: "timed_out", unsent: true };
  assertEquals(await send("https://slow.example/", variation), expected);
});

Deno.test("a stopped attempt says so, before it began and in its middle", async () => {
  const uri = "http://127.0.0.1:1/";
  const before = await send(uri, { signal: AbortSignal.abort() });
  assertEquals(before, { kind: "failed", code: "stopped", address: "127.0.0.1", unsent: true });
  const stop = new AbortController();
  const act: Act = async (conn) => {
    await hear(conn);
    stop.abort();
    await silent(conn);
  };
  await assertFails("stopped", act, { signal: stop.signal });
});

/** Sockets as ever, which can be looked at. */
function notingSockets() {
  const opened: Socket[] = [];
  const noted = <T extends Socket>(socket: T): T => {
    opened.push(socket);
    return socket;
  };
  const sockets: Sockets = {
    tcp: (where) => noted(NODE_SOCKETS.tcp(where)),
    tls: (where) => noted(NODE_SOCKETS.tls(where)),
  };
  return { opened, sockets };
}

Deno.test("an attempt that was stopped before it began opens no connection", async () => {
  const { opened, sockets } = notingSockets();
  const signal = AbortSignal.abort();
  const result = await send("http://127.0.0.1:1/", { signal, sockets });
  assertEquals([result.kind === "failed" && result.code, opened], ["stopped", []]);
});

Deno.test("an error of a connection that nobody waits for any more harms nobody", async () => {
  const { opened, sockets } = notingSockets();
  await using destination = listen(silent);
  const { port } = destination;
  const late = { attemptTimeoutMs: SHORT_MS, sockets };
  for (const scheme of ["http", "https"]) await send(`${scheme}://dest.localhost:${port}/`, late);
  for (const socket of opened) socket.emit("error", new Error("reset by peer"));
  assertEquals(opened.map(({ destroyed }) => destroyed), [true, true]);
});

Deno.test("what is refused by a rule is so even if the attempt has been stopped", async () => {
  const signal = AbortSignal.abort();
  const refused = { kind: "failed", code: "destination_refused", rule: "address" };
  assertEquals(await send("http://0.0.0.0/", { signal }), refused);
});

Deno.test("no attempt leaves anything behind on the signal that may stop it, however it ended", async () => {
  const { signal } = new AbortController();
  const act = answering("HTTP/1.1 204 No Content\r\n\r\n");
  assertEquals(await outcome(act, { signal }), answered(204, ""));
  await assertFails("connection_lost", hear, { signal });
  assertEquals(getEventListeners(signal, "abort"), []);
});

Deno.test("each request has a connection of its own", async () => {
  await using destination = listen(answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  const uri = `http://127.0.0.1:${destination.port}/`;
  for (let count = 1; count <= 3; count++) {
    assertEquals(await send(uri), answered(200, ""));
    assertEquals(destination.accepted, count);
  }
});

Deno.test("the next address is tried where one refuses", async () => {
  await using destination = listen(answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  const resolve = () => Promise.resolve(["127.0.0.2", "127.0.0.1"]);
  const uri = `http://dest.localhost:${destination.port}/`;
  assertEquals(await send(uri, { resolve }), answered(200, ""));
});

Deno.test("a refused destination sees no connection", async () => {
  await using destination = listen(silent);
  const { port } = destination;
  const mixed = () => Promise.resolve(["127.0.0.1", "192.168.1.1"]);
  const refused = (rule: string) => ({ kind: "failed", code: "destination_refused", rule });
  const uri = `http://dest.localhost:${port}/`;
  assertEquals(await send(uri, { resolve: mixed }), refused("address"));
  assertEquals(await send(`http://0.0.0.0:${port}/`), refused("address"));
  assertEquals(await send(`http://dest.example:${port}/`), refused("scheme"));
  assertEquals(await send(`http://user@127.0.0.1:${port}/`), refused("userinfo"));
  assertEquals(destination.accepted, 0);
});

Deno.test("S156: the connection goes to the address that was checked, whatever the name says next", async () => {
  await using good = listen(answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  await using bad = listen(silent, "127.0.0.2", good.port);
  let asked = 0;
  const resolve = () => Promise.resolve(asked++ === 0 ? ["127.0.0.1"] : ["127.0.0.2"]);
  const uri = `http://rebind.localhost:${good.port}/`;
  assertEquals(await send(uri, { resolve }), answered(200, ""));
  assertEquals([asked, good.accepted, bad.accepted], [1, 1, 0]);
});

Deno.test("S157: a name that turns private between two attempts is refused at the second", async () => {
  await using destination = listen(answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  const answers = [["127.0.0.1"], ["192.168.1.1"]];
  const resolve = () => Promise.resolve(answers.shift() ?? []);
  const uri = `http://flip.localhost:${destination.port}/`;
  assertEquals(await send(uri, { resolve }), answered(200, ""));
  const refused = { kind: "failed", code: "destination_refused", rule: "address" };
  assertEquals(await send(uri, { resolve }), refused);
  assertEquals(destination.accepted, 1);
});

Deno.test("a destination that answers without reading gets no more than it can take", async () => {
  const act: Act = (conn) => say(conn, "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n");
  const result = await outcome(act, { body: new Uint8Array(4 * 1_024 * 1_024) });
  // The answer, or the reset that may overtake it.
  assert(result.kind === "answered" ? result.status === 413 : result.code === "connection_lost");
});
