/**
 * Connections that are kept: used again by the same lane and by nobody else, for as long as they
 * are good, and never at the price of an answer.
 */
import { assertEquals } from "@std/assert";
import { Agent } from "node:http";
import { Socket } from "node:net";
import type { SendFailure } from "../../src/egress/failure.ts";
import { KeptConnections } from "../../src/egress/kept_connections.ts";
import { Pieces } from "../../src/egress/pieces.ts";
import type { Sent } from "../../src/egress/request.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { NEVER } from "../fakes/test_egress.ts";
import { type Act, hear, listen, say, serve, silent } from "./destination.ts";
import { until } from "../http/socket_client.ts";
import { identityOf, readFixture } from "./tls.ts";
import { ATTEMPT_MS, HANG_UP, inWords, KEEP, ok, READ_MS, stage, type Turn } from "./keeping.ts";

/** Answers with the letters a, b, c … in the order of the requests on a connection. */
const lettered: Turn = (conn, { nth }) => say(conn, ok("abcdefgh".charAt(nth - 1)));

Deno.test("the next request of a lane goes over the same connection, that of another never", async () => {
  await using at = stage(lettered);
  assertEquals(await at.send("1"), "200 a");
  assertEquals(await at.send("2"), "200 b");
  assertEquals(await at.send("3", { lane: "another" }), "200 a");
  assertEquals(await at.send("4"), "200 c");
  assertEquals(await at.send("5", { lane: "another" }), "200 b");
  assertEquals(at.heard, ["11", "12", "23", "14", "25"]);
});

Deno.test("two requests of a lane at once have a connection each, and one of them is kept", async () => {
  await using at = stage(lettered);
  assertEquals(await Promise.all([at.send("1"), at.send("1")]), ["200 a", "200 a"]);
  assertEquals(await at.send("2"), "200 b");
  assertEquals(at.heard.map((each) => each.slice(1)), ["1", "1", "2"]);
});

Deno.test("a connection is not used once its address is none of the destination's", async () => {
  const answers = [["127.0.0.1"], ["127.0.0.3", "127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]];
  await using at = stage(lettered, { resolve: () => Promise.resolve(answers.shift() ?? []) });
  const elsewhere: Act = async (conn) => (await hear(conn), await say(conn, ok("z")));
  await using _ = listen(elsewhere, "127.0.0.2", at.port);
  const told = [];
  for (const text of "1234") told.push(await at.send(text));
  assertEquals(told, ["200 a", "200 b", "200 z", "200 a"]);
  assertEquals(at.heard, ["11", "12", "24"]);
});

Deno.test("a connection is kept until its idle limit", async () => {
  await using at = stage(lettered);
  await at.send("1");
  at.clock.advance(KEEP.idleMs - 1);
  await at.send("2");
  at.clock.advance(KEEP.idleMs - 1);
  await at.send("3");
  at.clock.advance(KEEP.idleMs);
  assertEquals(at.clock.pending, 0);
  await at.send("4");
  assertEquals(at.heard, ["11", "12", "13", "24"]);
});

Deno.test("a connection is used until its age limit, also by a clock that was put back", async () => {
  for (const jump of [KEEP.ageMs, -KEEP.ageMs]) {
    await using at = stage(lettered);
    await at.send("1");
    at.clock.jump(jump - Math.sign(jump));
    await at.send("2");
    at.clock.jump(Math.sign(jump));
    await at.send("3");
    assertEquals(at.heard, ["11", "12", "23"]);
  }
});

Deno.test("a connection that has just been closed or ended is not used, whoever comes first to tell", () => {
  for (const end of ["destroy", "end"] as const) {
    const clock = new FakeClock();
    const kept = new KeptConnections(clock, KEEP);
    const socket = new Socket();
    const connection = {
      socket,
      agent: new Agent(),
      pieces: new Pieces(socket, { clock, heldBytesMax: 0 }),
      address: "127.0.0.1",
      openedAt: clock.now(),
    };
    for (const isEnded of [false, true]) {
      kept.keep("lane", connection);
      // What it tells of that comes a moment later.
      if (isEnded) socket[end]();
      assertEquals(kept.take("lane", ["127.0.0.1"]), isEnded ? undefined : connection, end);
    }
    assertEquals([socket.destroyed, clock.pending], [true, 0]);
  }
});

Deno.test("of too many connections the one that has waited longest goes", async () => {
  await using at = stage(lettered);
  // The lane of x is used again, so that of y has waited longest when z comes.
  for (const lane of ["x", "y", "x", "z", "x", "z", "y"]) await at.send(lane, { lane });
  assertEquals(at.heard, ["1x", "2y", "1x", "3z", "1x", "3z", "4y"]);
});

Deno.test("closed, all that wait are closed, and what is sent afterwards still arrives", async () => {
  await using at = stage(lettered);
  await at.send("x", { lane: "x" });
  await at.send("y", { lane: "y" });
  at.egress.close();
  assertEquals(at.clock.pending, 0);
  assertEquals(await at.send("x", { lane: "x" }), "200 a");
  assertEquals(at.heard, ["1x", "2y", "3x"]);
});

/** What may end a connection when its second request is there, and what then comes of that. */
const ENDS: Record<string, readonly [told: string, ...heard: string[]]> = {
  "": ["200 a", "11", "12", "22"],
  "HTTP/1.1 100 Continue\r\n\r\n": ["connection_lost", "11", "12"],
  "HTTP/1.1 200 O": ["connection_lost", "11", "12"],
  "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf": ["connection_lost", "11", "12"],
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n": [
    "connection_lost",
    "11",
    "12",
  ],
};

for (const [start, [told, ...heard]] of Object.entries(ENDS)) {
  Deno.test(`a kept connection that ends after ${JSON.stringify(start)}: ${told}`, async () => {
    for (const end of ["closes", "stops writing"]) {
      await using at = stage(async (conn, { conn: own, nth }) => {
        if (own > 1 || nth === 1) return await say(conn, ok("a"));
        await say(conn, start);
        if (end === "closes") return HANG_UP;
        await (conn as Deno.TcpConn).closeWrite();
        await silent(conn);
      });
      assertEquals(await at.send("1"), "200 a");
      assertEquals(await at.send("2"), told, end);
      assertEquals(at.heard, heard, end);
    }
  });
}

Deno.test("a destination that always closes what it promised to keep costs nothing", async () => {
  await using at = stage(async (conn) => {
    await say(conn, ok("a"));
    return HANG_UP;
  });
  for (const text of "12345") assertEquals(await at.send(text), "200 a");
  assertEquals(at.heard, ["11", "22", "33", "44", "55"]);
});

Deno.test("a destination that resets a kept connection costs nothing", async () => {
  // Closed with something unread in it, a connection is reset.
  await using destination = listen(async (conn) => {
    await hear(conn);
    await say(conn, ok("a"));
    await conn.read(new Uint8Array(1));
  });
  await using at = stage(lettered);
  const uri = `http://dest.localhost:${destination.port}/`;
  for (let count = 1; count <= 3; count++) {
    const request = { uri, headers: {}, body: new Uint8Array(9), lane: "lane", signal: NEVER };
    assertEquals((await at.egress.send(request)).kind, "answered");
    assertEquals(destination.accepted, count);
  }
});

Deno.test("a fresh connection that breaks is not replaced: a request is sent twice at most", async () => {
  await using at = stage(async (conn, { conn: own }) => {
    return own > 1 ? HANG_UP : await say(conn, ok("a"));
  });
  assertEquals(await at.send("1"), "200 a");
  assertEquals(await at.send("2", { lane: "fresh" }), "connection_lost");
  assertEquals(at.heard, ["11", "22"]);
  await using twice = stage(async (conn, { conn: own, nth }) => {
    return own > 1 || nth > 1 ? HANG_UP : await say(conn, ok("a"));
  });
  assertEquals(await twice.send("1"), "200 a");
  assertEquals(await twice.send("2"), "connection_lost");
  assertEquals(twice.heard, ["11", "12", "22"]);
});

Deno.test("what went out twice says so: where a kept connection was closed, and it may have arrived", async () => {
  const late = "HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
  for (const then of ["", late]) {
    await using at = stage(async (conn, { conn: own, nth }) => {
      if (own === 1 && nth === 1) return await say(conn, ok("a"));
      await say(conn, own === 1 ? then : ok("b"));
      return HANG_UP;
    });
    const first = await at.result("1");
    assertEquals([first.kind, first.firstSentTo], ["answered", undefined]);
    const second = await at.result("2");
    assertEquals([second.kind, second.firstSentTo], ["answered", "127.0.0.1"]);
    assertEquals(at.heard.length, 3);
  }
});

Deno.test("where it may have arrived first is told even if the second time nothing comes of it", async () => {
  await using breaking = stage(async (conn, { conn: own, nth }) => {
    return own > 1 || nth > 1 ? HANG_UP : await say(conn, ok("a"));
  });
  assertEquals(await breaking.send("1"), "200 a");
  const broken = await breaking.result("2");
  assertEquals([inWords(broken), broken.firstSentTo], ["connection_lost", "127.0.0.1"]);

  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const leaving = (async () => {
    using conn = await listener.accept();
    await hear(conn);
    await say(conn, ok("a"));
    await hear(conn);
    listener.close();
  })();
  const uri = `http://dest.localhost:${listener.addr.port}/`;
  const request = { uri, headers: {}, body: new Uint8Array(9), lane: "lane", signal: NEVER };
  assertEquals(inWords(await breaking.egress.send(request)), "200 a");
  const refused = await breaking.egress.send(request);
  assertEquals([inWords(refused), refused.firstSentTo], ["connection_refused", "127.0.0.1"]);
  await leaving;
});

/** Expects a request that had no answer, and is not told of as sent a second time. */
function assertFailedOnce(sent: Sent, code: SendFailure): void {
  assertEquals([inWords(sent), sent.firstSentTo], [code, undefined]);
}

/** Answers the first request; when the second one is there, does `act` and says nothing. */
function quietAtSecond(act: () => void): Turn {
  return async (conn, { conn: own, nth }) => {
    if (own > 1 || nth === 1) return await say(conn, ok("a"));
    act();
    await silent(conn);
    return HANG_UP;
  };
}

Deno.test("a request on a kept connection ends at its deadline, and is not sent again", async () => {
  const pass = () => {
    at.clock.advance(ATTEMPT_MS);
    at.clock.advance(READ_MS);
  };
  await using at = stage(quietAtSecond(pass));
  assertEquals(await at.send("1"), "200 a");
  assertFailedOnce(await at.result("2"), "timed_out");
  assertEquals(await at.send("3"), "200 a");
  assertEquals(at.heard, ["11", "12", "23"]);
});

Deno.test("an answer that is there at the deadline is taken: the process may have been stopped", async () => {
  await using at = stage((conn) => {
    at.clock.advance(ATTEMPT_MS);
    return say(conn, ok("a"));
  });
  assertEquals(await at.send("1"), "200 a");
});

Deno.test("a request on a kept connection ends when it is stopped, and is not sent again", async () => {
  const stop = new AbortController();
  await using at = stage(quietAtSecond(() => stop.abort()));
  assertEquals(await at.send("1"), "200 a");
  assertFailedOnce(await at.result("2", { signal: stop.signal }), "stopped");
  assertEquals(await at.send("3"), "200 a");
  assertEquals(at.heard, ["11", "12", "23"]);
});

Deno.test("what was stopped before it began does not leave on a kept connection", async () => {
  // Without a name there is no name server to be interrupted at.
  await using at = stage(lettered, { host: "127.0.0.1" });
  assertEquals(await at.send("1"), "200 a");
  assertFailedOnce(await at.result("2", { signal: AbortSignal.abort() }), "stopped");
  assertEquals(await at.send("3"), "200 a");
  assertEquals(at.heard, ["11", "23"]);
});

Deno.test("who stops one request does not stop the next one on its connection", async () => {
  const stop = new AbortController();
  await using at = stage(async (conn, { nth }) => {
    if (nth === 2) stop.abort();
    await say(conn, ok("a"));
  });
  assertEquals(await at.send("1", { signal: stop.signal }), "200 a");
  assertEquals(await at.send("2"), "200 a");
  assertEquals(await at.send("3"), "200 a");
  assertEquals(at.heard, ["11", "12", "13"]);
});

Deno.test("over TLS a connection is used again; the certificate of each new one is checked", async () => {
  const answers = [["127.0.0.1"], ["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1"]];
  await using at = stage(lettered, {
    resolve: () => Promise.resolve(answers.shift() ?? []),
    identity: await identityOf("dest.pem"),
    extraCa: await readFixture("ca.pem"),
  });
  const where = { hostname: "127.0.0.2", port: at.port };
  const listener = Deno.listenTls({ ...where, ...await identityOf("wrong-name.pem") });
  await using _ = serve(silent, listener);
  const told = [];
  for (const text of "1234") told.push(await at.send(text));
  assertEquals(told, ["200 a", "200 b", "certificate_invalid", "200 a"]);
  assertEquals(at.heard, ["11", "12", "24"]);
});

Deno.test("over TLS too, a kept connection that ends costs nothing", async () => {
  await using at = stage(
    async (conn, { conn: own, nth }) => {
      if (own % 2 === 1 && nth > 1) return HANG_UP;
      await say(conn, ok("a"));
      return own % 2 === 0 ? HANG_UP : undefined;
    },
    { identity: await identityOf("dest.pem"), extraCa: await readFixture("ca.pem") },
  );
  for (const text of "12345") assertEquals(await at.send(text), "200 a");
});

/** Passes on what comes for the destination at `port`; `garble` gives all clients a broken record. */
function garbler(port: number) {
  const clients: Deno.Conn[] = [];
  const copy = async (from: Deno.Conn, to: Deno.Conn) => {
    const buffer = new Uint8Array(65_536);
    for (let size; (size = await from.read(buffer).catch(() => null)) !== null;) {
      await to.write(buffer.subarray(0, size)).catch(() => {});
    }
  };
  const proxy = listen(async (client) => {
    using destination = await Deno.connect({ hostname: "127.0.0.1", port });
    clients.push(client);
    void copy(destination, client);
    // Even if the destination leaves.
    await copy(client, destination);
  });
  const record = new Uint8Array([23, 3, 3, 0, 20, ...Array(20).fill(7)]);
  return { proxy, garble: () => Promise.all(clients.splice(0).map((conn) => conn.write(record))) };
}

Deno.test("a kept connection whose TLS breaks is not used again", async () => {
  const identity = await identityOf("dest.pem");
  await using at = stage(lettered, { identity, extraCa: await readFixture("ca.pem") });
  const { proxy, garble } = garbler(at.port);
  await using _ = proxy;
  const uri = `https://dest.localhost:${proxy.port}/`;
  const request = { uri, headers: {}, body: new Uint8Array(1), lane: "lane", signal: NEVER };
  for (let n = 0; n < 3; n++) {
    assertEquals(inWords(await at.egress.send(request)), "200 a");
    await garble();
    await until(() => at.clock.pending === 0);
  }
  assertEquals(proxy.accepted, 3);
  at.egress.close();
});
