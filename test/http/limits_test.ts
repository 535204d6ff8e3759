/** The limits as a client meets them: which answer, and what it says on when to come back. */
import { Fault } from "../fakes/faulty_kv.ts";
import { openRuled } from "../fakes/ruled.ts";
import { assertEquals, assertMatch } from "@std/assert";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { answered, DESTINATION, openTestService, type TestService } from "../fakes/test_service.ts";
import { SocketServer, until } from "./socket_client.ts";

const NEW = { id: "", uri: DESTINATION, data: "{}" };
const MIB = 1_048_576;

/** A destination that does not answer until the test says so. */
function silent() {
  const { promise, resolve } = Promise.withResolvers<SendResult>();
  return { destination: () => promise, speak: () => resolve(answered()) };
}

async function told(response: Response) {
  const { status, headers } = response;
  const { type, detail = "" } = await response.json();
  const fields = ["retry-after", "ratelimit-policy", "ratelimit"].map((name) => headers.get(name));
  return { status, code: type.split(":").at(-1), detail, fields };
}

Deno.test("a URL over its limit is 414 and headers over theirs are 431, with or without a token", async () => {
  await using service = await openTestService({ bounds: { urlChars: 100, headerBytes: 2_000 } });
  for (const token of [service.token(), "rubbish"]) {
    const ask = (path: string, headers = {}) => service.ask(path, NEW, { token, headers });
    const long = await told(await ask(`/lp/export?${"x".repeat(100)}`));
    assertEquals([long.status, long.code], [414, "url_too_long"]);
    for (const headers of [{ a: "x".repeat(2_000) }, { ["x".repeat(2_000)]: "a" }]) {
      const large = await told(await ask("/lp/export", headers));
      assertEquals([large.status, large.code], [431, "headers_too_large"]);
    }
    const many = Object.fromEntries(Array.from({ length: 400 }, (_, n) => [`a${n}`, ""]));
    assertEquals((await told(await ask("/lp/export", many))).status, 431);
  }
  assertEquals((await service.submit()).state, "Pending");
});

Deno.test("a head over its limits is refused wherever it goes, also where nobody needs a token", async () => {
  await using service = await openTestService({ bounds: { urlChars: 100, headerBytes: 2_000 } });
  for (const path of ["/health/live", "/health/ready", "/health/other", "/other", "/ws/export"]) {
    const long = await service.app.request(`${path}?${"x".repeat(100)}`);
    const large = await service.app.request(path, { headers: { a: "x".repeat(2_000) } });
    assertEquals([long.status, large.status], [414, 431], path);
  }
  assertEquals((await service.app.request("/health/ready")).status, 200);
});

Deno.test("a Host cannot make one path look like another: what is no host is 400", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  const body = JSON.stringify(NEW);
  const rest = `X-Api-Key: ${service.token()}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const answerTo = async (host: string, path: string) => {
    using client = await connect(server, { path, host });
    await client.send(rest);
    return (await client.rest()).split("\r\n", 1);
  };
  for (const host of ["x/lp/export?", "x/lp/export#", "x\\lp", "u@x", "x y", "x%2f"]) {
    assertEquals(await answerTo(host, "/zz"), ["HTTP/1.1 400 Bad Request"], host);
  }
  for (const host of ["", "export-service", "10.0.0.1:8080", "[::1]:8080", "a_b.example"]) {
    assertEquals(await answerTo(host, "/lp/export"), ["HTTP/1.1 200 OK"], host);
  }
});

Deno.test("nesting over the limit is 400 in the body and in data, and never an overflow", async () => {
  await using service = await openTestService();
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assertEquals((await service.submit(nested(128))).state, "Pending");
  const bodies = [
    { ...NEW, data: nested(129) },
    { ...NEW, data: "[".repeat(MIB) },
    { ...NEW, data: '{"a":'.repeat(MIB / 5) },
    "[".repeat(MIB),
    '{"a":'.repeat(MIB / 5),
    `{"id":"","uri":"${DESTINATION}","data":"{}","more":${nested(MIB / 2)}}`,
  ];
  for (const body of bodies) {
    const { status, code, detail } = await told(await service.ask("/lp/export", body));
    assertEquals([status, code], [400, "malformed_request"]);
    assertMatch(detail, /deeper than 128/);
  }
});

Deno.test("a body that drips is 408 after its time, and its client is told to close", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  const token = service.token();
  for (
    const [head, part] of [
      ["Content-Length: 1000", "{"],
      ["Content-Length: 100000", "{"],
      ["Transfer-Encoding: chunked", "1\r\n{\r\n"],
    ]
  ) {
    using client = await connect(server);
    await client.send(`${head}\r\nX-Api-Key: ${token}\r\n\r\n${part}`);
    await until(() => service.clock.pending === 1);
    service.clock.advance(30_000);
    const answer = await client.rest();
    assertMatch(answer, /^HTTP\/1.1 408 /);
    assertMatch(answer, /\r\nconnection: close\r\n/);
    assertMatch(answer, /problem:too_slow/);
    assertEquals(service.clock.pending, 0);
  }
});

Deno.test("a body over the limit is 413 before it is sent, told by its length or not", async () => {
  await using service = await openTestService({ payloadBytesMax: 1_000 });
  await using server = new SocketServer(service);
  const token = service.token();
  for (const body of ["Content-Length: 20000\r\n", "Transfer-Encoding: chunked\r\n"]) {
    using client = await connect(server);
    await client.send(`${body}X-Api-Key: ${token}\r\n\r\n`);
    // Enough to be too much, but not the whole of it.
    if (body.startsWith("T")) await client.send(`7530\r\n${"x".repeat(20_000)}`);
    assertMatch(await client.rest(), /^HTTP\/1.1 413 [^]*\r\nconnection: close\r\n/);
  }
});

Deno.test("bodies that come at once are bounded, and those that have come do not count", async () => {
  const bodies = { total: 80_000, perOwner: 60_000 };
  await using service = await openTestService({ payloadBytesMax: 10_000, bounds: { bodies } });
  await using server = new SocketServer(service);
  using client = await connect(server);
  // Of unknown length: as large as a body may be, 46,384 bytes.
  await client.send(`Transfer-Encoding: chunked\r\nX-Api-Key: ${service.token()}\r\n\r\n1\r\n{`);
  await until(() => service.clock.pending === 1);
  const ask = (bytes: number, identifier: string) =>
    service.app.request("/lp/export", {
      method: "POST",
      headers: {
        "content-length": `${bytes}`,
        "x-api-key": service.token({ identifier }),
      },
      body: JSON.stringify(NEW),
    });
  const refused = await ask(20_000, "");
  assertEquals(refused.headers.get("retry-after"), "5");
  assertEquals((await told(refused)).code, "too_many_bodies");
  assertEquals(limitsIn(service), ["too_many_bodies"]);
  assertEquals((await ask(40_000, "other")).status, 503, "all together");
  assertEquals((await ask(30_000, "other")).status, 200);
  assertEquals((await ask(16_384, "")).status, 200, "a short one has a place of its own");
  service.clock.advance(30_000);
  assertMatch(await client.rest(), /^HTTP\/1.1 408 /);
  assertEquals((await ask(20_000, "")).status, 200);
});

for (const [polls, places] of [[1, 1_024], [1_500, 1_500]] as const) {
  Deno.test(`where ${polls} polls of one owner may wait, ${places} of their short bodies may be on their way, and others have places, too`, async () => {
    await using service = await openTestService({
      bounds: { polls: { total: 2 * polls, perOwner: polls } },
    });
    const begin = (identifier: string) => {
      const headers = { "content-length": "16384", "x-api-key": service.token({ identifier }) };
      const body = new ReadableStream({ pull: () => new Promise(() => {}) });
      return service.app.request("/lp/export", { method: "POST", headers, body });
    };
    const begun = Array.from({ length: places }, () => begin(""));
    assertEquals((await told(await begin(""))).code, "too_many_bodies");
    begun.push(begin("other"));
    service.clock.advance(30_000);
    const statuses = (await Promise.all(begun)).map(({ status }) => status);
    assertEquals(new Set(statuses), new Set([408]));
  });
}

Deno.test("as many short bodies as polls may wait may be on their way in all, and no more", async () => {
  await using service = await openTestService({
    bounds: { polls: { total: 5_000, perOwner: 1_000 } },
  });
  const begin = (identifier: string) => {
    const headers = { "content-length": "16384", "x-api-key": service.token({ identifier }) };
    const body = new ReadableStream({ pull: () => new Promise(() => {}) });
    return service.app.request("/lp/export", { method: "POST", headers, body });
  };
  const begun = Array.from({ length: 5_000 }, (_, n) => begin(`${n % 5}`));
  assertEquals((await told(await begin("other"))).code, "too_many_bodies");
  service.clock.advance(30_000);
  const statuses = (await Promise.all(begun)).map(({ status }) => status);
  assertEquals(new Set(statuses), new Set([408]));
});

Deno.test("a store that fails keeps no place of a body or of a poll", async () => {
  const { destination, speak } = silent();
  await using service = await openTestService({
    destination,
    bounds: { bodies: { total: 300_000, perOwner: 300_000 }, polls: { total: 1, perOwner: 1 } },
    payloadBytesMax: 10_000,
  });
  const { ledger } = service;
  const { accept, find } = ledger;
  const fail = () => Promise.reject(new Error("the store failed"));
  ledger.accept = fail;
  // Each counts as the largest body does, 46,384 bytes, since its length is not told.
  for (let n = 0; n < 9; n++) {
    assertEquals((await told(await service.ask("/lp/export", NEW))).code, "store_unavailable");
  }
  ledger.accept = accept;
  const { id } = await service.submit();
  const token = service.token();
  await service.until(id, "Processing");
  for (let n = 0; n < 2; n++) {
    let isAnswered = false;
    const poll = service.ask("/lp/export", { ...NEW, id }, { token })
      .finally(() => isAnswered = true);
    await until(() => isAnswered || service.waiters.size === 1);
    ledger.find = fail;
    service.clock.advance(5_000);
    assertEquals((await told(await poll)).code, "store_unavailable");
    ledger.find = find;
  }
  speak();
});

Deno.test("polls that wait are bounded for one owner and for all; who finds no place gets 503", async () => {
  const { destination, speak } = silent();
  const polls = { total: 3, perOwner: 2 };
  await using service = await openTestService({ destination, bounds: { polls } });
  const submit = async (identifier: string) => {
    const token = service.token({ identifier });
    const { id } = await service.submit("{}", { token });
    const read = service.token({ identifier, path: "/export" });
    await service.until(id, "Processing", { token: read });
    return (path = "/lp/export") => service.ask(path, { ...NEW, id }, { token });
  };
  const [first, second] = [await submit(""), await submit("other")];
  const waiting = [first(), first()];
  await until(() => service.waiters.size === 2);
  const refused = await first();
  assertEquals(refused.headers.get("retry-after"), "5");
  assertEquals((await told(refused)).code, "too_many_polls");
  assertEquals(limitsIn(service), ["too_many_polls"]);
  assertEquals(
    (await first("/lp/export?timeout=0")).status,
    200,
    "who does not wait needs no place",
  );
  waiting.push(second());
  await until(() => service.waiters.size === 3);
  assertEquals((await second()).status, 503, "all together");
  speak();
  for (const poll of waiting) assertEquals((await poll).status, 200);
  assertEquals((await first()).status, 200);
});

Deno.test("one owner cannot open all the sockets", async () => {
  await using service = await openTestService({ socketsMax: 3, socketsPerOwner: 2 });
  await using server = new SocketServer(service);
  const clients = [await server.client(), await server.client()];
  const refused = await server.ask({ "x-api-key": server.token() });
  assertEquals(refused.headers.get("retry-after"), "5");
  assertEquals((await told(refused)).code, "too_many_sockets");
  assertEquals(limitsIn(service), ["too_many_sockets"]);
  clients.push(await server.client(server.token({ identifier: "other" })));
  const third = server.token({ identifier: "third" });
  assertEquals((await server.ask({ "x-api-key": third })).status, 503);
  await clients.pop()?.close();
  await until(() => service.sockets.size === 2);
  await (await server.client(third)).close();
  for (const client of clients) await client.close();
});

Deno.test("requests over the rate are 429, say when to come back, and cost only their owner", async () => {
  await using service = await openTestService({ bounds: { requestsPerSecond: 2 } });
  const ask = (identifier = "") => {
    const token = service.token({ identifier });
    return service.ask("/lp/export", NEW, { token });
  };
  assertEquals([(await ask()).status, (await ask()).status], [200, 200]);
  assertEquals(await told(await ask()), {
    status: 429,
    code: "too_many_requests",
    detail: "2 requests a second are served. Try again in 1 s.",
    fields: ["1", `"requests";q=2;w=1`, `"requests";r=0;t=1`],
  });
  assertEquals(limitsIn(service), ["too_many_requests"]);
  assertEquals((await ask("other")).status, 200);
  assertEquals((await service.app.request("/lp/export", { method: "POST" })).status, 401);
  service.clock.advance(500);
  assertEquals([(await ask()).status, (await ask()).status], [200, 429]);
});

Deno.test("frames on sockets count as requests do", async () => {
  await using service = await openTestService({ bounds: { requestsPerSecond: 2 } });
  await using server = new SocketServer(service);
  const client = await server.client();
  assertEquals((await client.ask("nonsense")).status, 400);
  const refused = await client.ask("nonsense");
  assertEquals([refused.status, refused.detail?.slice(-17)], [429, "Try again in 1 s."]);
  assertEquals(limitsIn(service), ["too_many_requests"]);
  service.clock.advance(1_000);
  assertEquals((await client.ask("nonsense")).status, 400);
  await client.close();
});

/** What the log tells of limits so far. */
function limitsIn({ log }: TestService): unknown[] {
  return log.filter(({ event }) => event === "request.limited").map(({ code }) => code);
}

async function full(service: TestService, init: { data?: string; identifier?: string } = {}) {
  const { data = "{}", identifier = "" } = init;
  const token = service.token({ identifier });
  return await service.ask("/lp/export", { ...NEW, data }, { token });
}

Deno.test("exports accepted and not finished are bounded for each owner", async () => {
  const { destination, speak } = silent();
  const openMax = { exports: 2, bytes: MIB };
  await using service = await openTestService({ destination, openMax });
  for (let n = 0; n < 2; n++) assertEquals((await full(service)).status, 200);
  assertEquals(await told(await full(service)), {
    status: 429,
    code: "too_much_open",
    detail: "At most 2 exports may be unfinished at a time; 0 are left. " +
      "Try again when some of them are delivered.",
    fields: ["30", `"open-exports";q=2`, `"open-exports";r=0`],
  });
  assertEquals(limitsIn(service), ["too_much_open"]);
  assertEquals((await full(service, { identifier: "other" })).status, 200);
  speak();
  await service.worker.idle();
  assertEquals((await full(service)).status, 200);
});

Deno.test("open exports of an owner are bounded on a socket too, and the log tells of it", async () => {
  const { destination, speak } = silent();
  const openMax = { exports: 1, bytes: MIB };
  await using service = await openTestService({ destination, openMax });
  await using server = new SocketServer(service);
  const client = await server.client();
  const frames = [await client.ask(JSON.stringify(NEW)), await client.ask(JSON.stringify(NEW))];
  // Processing comes when it comes.
  frames.push(await client.next());
  assertEquals(frames.filter(({ status }) => status === 429).length, 1);
  assertEquals(limitsIn(service), ["too_much_open"]);
  await client.close();
  speak();
});

Deno.test("their bytes are bounded too, and a smaller one may still find room", async () => {
  const { destination, speak } = silent();
  const openMax = { exports: 9, bytes: 100 };
  await using service = await openTestService({ destination, openMax });
  const data = (bytes: number) => JSON.stringify(["x".repeat(bytes - 4)]);
  assertEquals((await full(service, { data: data(60) })).status, 200);
  const { status, fields } = await told(await full(service, { data: data(41) }));
  assertEquals([status, ...fields], [
    429,
    "30",
    `"open-bytes";q=100;qu="content-bytes"`,
    `"open-bytes";r=40`,
  ]);
  assertEquals((await full(service, { data: data(40) })).status, 200);
  speak();
});

Deno.test("what an owner's exports leave behind is bounded by the day, answers and all", async () => {
  const answer = answered("x".repeat(4_096));
  await using service = await openTestService({
    destination: () => answer,
    storedBytesPerDay: 10_000,
  });
  const headers = { "idempotency-key": "the-first" };
  const { id } = await service.submit("{}", { headers });
  assertEquals((await full(service)).status, 200);
  await service.worker.idle();
  const { status, code, detail, fields } = await told(await full(service));
  // Of both the record with its URL, three entries of which two have a path, and the answer.
  const bytes = 1_024 + DESTINATION.length + 3 * 384 + 2 * "/in".length + 4_096;
  const seconds = Math.ceil((2 * bytes - 10_000) * 8.64);
  assertEquals([status, code], [429, "storage_quota_exceeded"]);
  assertEquals(detail.includes("10000 bytes a day in the store. Try again in"), true, detail);
  assertEquals(fields, [
    `${seconds}`,
    `"stored-bytes";q=10000;w=86400;qu="content-bytes"`,
    `"stored-bytes";r=0;t=${seconds}`,
  ]);
  // Others are not concerned, nor what was accepted before.
  assertEquals((await full(service, { identifier: "other" })).status, 200);
  assertEquals((await service.submit("{}", { headers })).id, id);
  assertEquals((await service.poll(id)).state, "Finished");
  service.clock.advance(seconds * 1_000);
  assertEquals((await full(service)).status, 200);
});

Deno.test("what waited in its lane is counted like what went straight through, each entry once", async () => {
  const { destination, speak } = silent();
  await using service = await openTestService({ destination, storedBytesPerDay: 3_000 });
  for (let n = 0; n < 2; n++) assertEquals((await full(service)).status, 200);
  speak();
  await service.worker.idle();
  const bytes = 1_024 + DESTINATION.length + 3 * 384 + 2 * "/in".length + "ok".length;
  const { code, fields } = await told(await full(service));
  const seconds = Math.ceil((2 * bytes - 3_000) * 28.8);
  assertEquals([code, fields[0]], ["storage_quota_exceeded", `${seconds}`]);
});

Deno.test("an answer that is tried again is not kept, and does not count", async () => {
  const body = new Uint8Array(4_000);
  const world = await openRuled({
    retryStatuses: [503],
    storedBytesPerDay: 12_000,
    destination: () => ({ ...answered(), status: 503, body }),
  });
  await using service = world.service;
  await service.submit();
  await world.pass(15 * 60_000);
  assertEquals(service.sent.length, 5);
  assertEquals((await service.submit()).state, "Pending");
});

Deno.test("those who come at the same time do not all find room in their quota", async () => {
  await using service = await openTestService({ storedBytesPerDay: 5_000 });
  const answers = await Promise.all(Array.from({ length: 50 }, () => full(service)));
  const accepted = answers.filter(({ status }) => status === 200).length;
  // Some 1.4 KB each, before they are claimed.
  assertEquals(accepted, 4);
});

Deno.test("what a failing store did not take is not counted", async () => {
  const wrap = new Fault("crashes", 1);
  await using service = await openTestService({ wrap, storedBytesPerDay: 2_000 });
  for (let n = 0; n < 5; n++) assertEquals((await full(service)).status, 503);
  wrap.disarm();
  assertEquals((await full(service)).status, 200);
});

Deno.test("whoever is over their quota takes no place of those for open exports", async () => {
  const openMax = { exports: 2, bytes: MIB };
  await using service = await openTestService({ openMax, storedBytesPerDay: 2_000 });
  assertEquals((await full(service)).status, 200);
  await service.worker.idle();
  for (let n = 0; n < 5; n++) assertEquals((await full(service)).status, 429);
  service.clock.advance(86_400_000);
  assertEquals((await full(service)).status, 200);
});

/** A client that says what it likes, and reads until the service closes. */
class TextClient implements Disposable {
  readonly #connection: Deno.TcpConn;

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  async send(text: string): Promise<void> {
    const bytes = new TextEncoder().encode(text);
    for (let n = 0; n < bytes.length;) n += await this.#connection.write(bytes.subarray(n));
  }

  async rest(): Promise<string> {
    let text = "";
    const chunk = new Uint8Array(65_536);
    for (;;) {
      const read = await this.#connection.read(chunk);
      if (read === null) return text;
      text += new TextDecoder().decode(chunk.subarray(0, read));
      if (text.includes("\r\n\r\n{") && text.endsWith("}")) return text;
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

async function connect(
  { port }: SocketServer,
  { path, host } = { path: "/lp/export", host: "localhost" },
): Promise<TextClient> {
  const client = new TextClient(await Deno.connect({ hostname: "127.0.0.1", port }));
  await client.send(`POST ${path} HTTP/1.1\r\nHost: ${host}\r\n`);
  return client;
}

Deno.test("a body that is declared longer than any that may come is too large, not one too many", async () => {
  await using service = await openTestService();
  const headers = { "content-length": `${65 * 1_024 * 1_024}`, "x-api-key": service.token() };
  const response = await service.app.request("/lp/export", { method: "POST", headers, body: "{}" });
  const { status, code } = await told(response);
  assertEquals([status, code], [413, "too_large"]);
});
