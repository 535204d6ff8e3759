/** `GET /ws/export` as apps see it, over real sockets (contract 1.13 with the rulings). */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { systemClock } from "../../src/clock.ts";
import { MemoryGrowth } from "../../src/machine/memory_growth.ts";
import { webSockets } from "../../src/machine/web_socket.ts";
import { defined } from "../fakes/expect.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { Fault } from "../fakes/faulty_kv.ts";
import { answered, openTestService, type TestService } from "../fakes/test_service.ts";
import {
  BINARY,
  CLOSE,
  type Frame,
  NEW,
  PING,
  PONG,
  type RawClient,
  SocketServer,
  TEXT,
  until,
  UPGRADE,
} from "./socket_client.ts";

const UNKNOWN = "11111111-2222-4333-8444-555555555555";
const PROBLEM = "urn:databox:export-service:problem:";

function statesOf(frames: readonly Frame[]): unknown[] {
  return frames.map(({ state }) => state);
}

const MIB = 1_048_576;
const SLOW = 262_144;

Deno.test("a new export is told Pending at once, then each change, then its outcome", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  await using server = new SocketServer(service);
  const client = await server.client();
  client.send({ ...NEW, data: '{"steps": 8211}' });
  const pending = await client.text();
  const { id } = JSON.parse(pending);
  assertEquals(pending, `{"id":"${id}","state":"Pending","ext_response":{}}`);
  assertEquals(await client.text(), `{"id":"${id}","state":"Processing","ext_response":{}}`);
  arrival.resolve(answered("thank you"));
  assertEquals(
    await client.text(),
    `{"id":"${id}","state":"Finished","ext_response":{"status":"200 OK","body":"thank you"}}`,
  );
  assertEquals(new TextDecoder().decode(service.sent[0]?.body), '{"steps": 8211}');
  assertEquals(service.waiters.size, 0, "nobody waits for what is finished");
  await client.close();
});

Deno.test("exports on one socket go their own ways, each told in its own order", async () => {
  const arrivals = new Map<string, PromiseWithResolvers<SendResult>>();
  const uris = ["a", "b", "c"].map((name) => `https://${name}.example/`);
  for (const uri of uris) arrivals.set(uri, Promise.withResolvers());
  await using service = await openTestService({
    requiredCaveats: ["target"],
    destination: ({ uri }) => defined(arrivals.get(uri)).promise,
  });
  await using server = new SocketServer(service);
  const client = await server.client(server.token({ destination: undefined }));
  for (const uri of uris) client.send({ ...NEW, uri });
  const begun = await client.take(6);
  const ids = begun.filter(({ state }) => state === "Pending").map(({ id }) => id);
  assertEquals(new Set(ids).size, 3);
  for (const id of ids) {
    assertEquals(statesOf(begun.filter((frame) => frame.id === id)), ["Pending", "Processing"]);
  }
  for (const [n, uri] of [...uris.entries()].reverse()) {
    arrivals.get(uri)?.resolve(answered(uri));
    const frame = await client.next();
    assertEquals(frame.ext_response, { status: "200 OK", body: uri });
    assertEquals(frame.id, ids[n], "frames are handled in order of arrival");
  }
  await client.close();
});

Deno.test("the order of arrival is the order of delivery, also behind a large one", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  const client = await server.client();
  const sizes = [1, 900_000, 2, 400_000, 3, 4];
  for (const size of sizes) client.send({ ...NEW, data: JSON.stringify(["x".repeat(size)]) });
  let finished = 0;
  while (finished < sizes.length) if ((await client.next()).state === "Finished") finished++;
  assertEquals(service.sent.map(({ body }) => body.length - 4), sizes);
  await client.close();
});

Deno.test("frames are answered in order of arrival, so that an app knows which was refused", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  const client = await server.client();
  const large = JSON.stringify(["x".repeat(900_000)]);
  for (const frame of [NEW, "no json", { ...NEW, data: large }, { ...NEW, uri: "" }, NEW]) {
    client.send(frame);
  }
  const answers: unknown[] = [];
  const known = new Set<unknown>();
  for (let finished = 0; finished < 3;) {
    const { status, state, id } = await client.next();
    if (status !== undefined) answers.push(status);
    else if (!known.has(id)) answers.push(state);
    known.add(id);
    if (state === "Finished") finished++;
  }
  assertEquals(answers, ["Pending", 400, "Pending", 401, "Pending"]);
  await client.close();
});

Deno.test("a known id is told as it is now, then its changes, whoever submitted it and how", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  await using server = new SocketServer(service);
  const { id } = await service.submit();
  await service.until(id, "Processing");
  const client = await server.client();
  assertEquals((await client.ask({ ...NEW, id: id.toUpperCase() })).state, "Processing");
  assertEquals((await client.ask({ ...NEW, id })).state, "Processing", "as often as it is asked");
  assertEquals(service.waiters.size, 1, "and is followed once");
  arrival.resolve(answered("news"));
  const finished = { id, state: "Finished", ext_response: { status: "200 OK", body: "news" } };
  assertEquals(await client.next(), finished);
  assertEquals(await client.ask({ ...NEW, id }), finished, "told again, not once only");
  await client.close();
  assertEquals(await service.poll(id), finished);
});

Deno.test("what a socket did not live to be told is there for the next one", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  await using server = new SocketServer(service);
  const first = await server.client();
  const { id } = await first.ask(NEW);
  assertEquals((await first.next()).state, "Processing");
  await first.close();
  arrival.resolve(answered("kept"));
  await service.worker.idle();
  const second = await server.client();
  assertEquals((await second.ask({ ...NEW, id })).ext_response, { status: "200 OK", body: "kept" });
  await second.close();
});

Deno.test("an unknown id and another owner's are the same problem, which names the id", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  const { id } = await service.submit();
  const other = await server.client(server.token({ identifier: "other" }));
  const narrow = await server.client(server.token({ caveats: ["max_bytes = 1"] }));
  const unknown = await other.ask({ ...NEW, id: UNKNOWN });
  assertEquals(unknown, {
    type: `${PROBLEM}unknown_export`,
    title: "There is no such export",
    status: 404,
    detail: "Ask with a token like the one that it was submitted with (same identifier, same " +
      `destination), while its result is kept. Asked for: ${UNKNOWN}.`,
    instance: UNKNOWN,
  });
  const same = JSON.parse(JSON.stringify(unknown).replaceAll(UNKNOWN, id));
  assertEquals(await other.ask({ ...NEW, id }), same);
  assertEquals(await narrow.ask({ ...NEW, id }), same, "nor may a token that could not submit it");
  await other.close();
  await narrow.close();
});

Deno.test("every frame is judged like a request: destination, bytes, size, form", async () => {
  await using service = await openTestService({ payloadBytesMax: 100 });
  await using server = new SocketServer(service);
  const client = await server.client(server.token({ caveats: ["max_bytes = 50"] }));
  const local = await server.client(server.token({ destination: "https://127.0.0.1/" }));
  const data = (bytes: number) => JSON.stringify(["x".repeat(bytes - 4)]);
  const refused: [typeof client, unknown, number, string][] = [
    [client, { ...NEW, uri: "https://b.example/" }, 401, "unauthorised"],
    [client, { ...NEW, uri: "https://b.example/", id: UNKNOWN }, 401, "unauthorised"],
    [client, { ...NEW, data: data(51) }, 401, "unauthorised"],
    [client, { ...NEW, data: data(101) }, 413, "too_large"],
    [client, "no json", 400, "malformed_request"],
    [client, { ...NEW, data: {} }, 400, "malformed_request"],
    [client, { ...NEW, id: "no-uuid" }, 400, "malformed_request"],
    [client, { ...NEW, id: UNKNOWN, data: {} }, 400, "malformed_request"],
    [local, { ...NEW, uri: "https://127.0.0.1/" }, 403, "destination_refused"],
  ];
  for (const [socket, frame, status, code] of refused) {
    const problem = await socket.ask(frame);
    const told = [problem.status, problem.type, problem.instance === UNKNOWN];
    const names = JSON.stringify(frame).includes(UNKNOWN);
    assertEquals(told, [status, PROBLEM + code, names], JSON.stringify(frame));
  }
  assertEquals((await client.ask({ ...NEW, data: data(50) })).state, "Pending", "it lives on");
  assertEquals((await client.finish()).state, "Finished");
  await client.close();
  await local.close();
  await service.ledger.close();
  const noted = (await service.entries()).filter(({ kind }) => kind === "export.refused");
  assertEquals(noted.map(({ reason, method, route, host }) => [reason, method, route, host]), [
    ["destination_wrong", "GET", "/ws/export", "b.example"],
    ["destination_wrong", "GET", "/ws/export", "b.example"],
    ["too_many_bytes", "GET", "/ws/export", "destination.example"],
    [defined(noted[3]).reason, "GET", "/ws/export", "127.0.0.1"],
  ]);
  assertMatch(String(noted[3]?.reason), /^destination_/);
  assertEquals(service.sent.length, 1);
});

Deno.test("a token that expires while its socket is open permits nothing more", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  const client = await server.client(server.token({ caveats: ["time < 2030-01-01T00:01:00Z"] }));
  assertEquals((await client.ask(NEW)).state, "Pending");
  assertEquals((await client.finish()).state, "Finished");
  service.clock.advance(60_000);
  assertEquals((await client.ask(NEW)).status, 401);
  assertEquals(service.sent.length, 1);
  await client.close();
});

Deno.test("a store that fails is a 503 problem, and the socket lives on", async () => {
  const wrap = new Fault("crashes", 1);
  await using service = await openTestService({ wrap });
  await using server = new SocketServer(service);
  const client = await server.client();
  assertEquals((await client.ask(NEW)).type, `${PROBLEM}store_unavailable`);
  const poll = await client.ask({ ...NEW, id: UNKNOWN });
  assertEquals([poll.type, poll.instance], [`${PROBLEM}store_unavailable`, UNKNOWN]);
  wrap.disarm();
  assertEquals((await client.ask(NEW)).state, "Pending");
  assertEquals((await client.finish()).state, "Finished");
  await client.close();
  const failures = service.log.filter(({ event, path }) => event === "store.failed" && path);
  // However many meet it, the log tells once a minute.
  assertEquals(failures.map(({ path }) => path), ["/ws/export"]);
});

Deno.test("what is refused is refused before the upgrade, as over HTTP", async () => {
  await using service = await openTestService({ requiredCaveats: ["target"] });
  await using server = new SocketServer(service);
  const elsewhere = { path: "/nowhere", destination: undefined };
  const told: [Promise<Response>, number, string][] = [
    [server.ask({}), 401, "unauthorised"],
    [server.ask({ "x-api-key": server.token({ method: "POST" }) }), 401, "unauthorised"],
    [server.ask({ "x-api-key": server.token({ path: "/export" }) }), 401, "unauthorised"],
    [server.ask({ "x-api-key": server.token(elsewhere) }, "/nowhere"), 404, "no_such_route"],
  ];
  for (const missing of Object.keys(UPGRADE)) {
    const headers = { "x-api-key": server.token(), [missing]: "other" };
    if (missing !== "sec-websocket-key") told.push([server.ask(headers), 426, "upgrade_required"]);
  }
  for (const [asked, status, code] of told) {
    const response = await asked;
    assertEquals([response.status, (await response.json()).type], [status, PROBLEM + code]);
    assertEquals(response.headers.get("upgrade"), status === 426 ? "websocket" : null);
  }
  const keyless = new Headers({ ...UPGRADE, "x-api-key": server.token() });
  keyless.delete("sec-websocket-key");
  const head = {
    method: "HEAD",
    headers: { ...UPGRADE, "x-api-key": server.token({ method: "HEAD" }) },
  };
  for (const init of [{ headers: keyless }, head]) {
    const response = await service.app.request("/ws/export", init);
    assertEquals(response.status, 426);
    await response.body?.cancel();
  }
  assertEquals(service.sockets.size, 0);
});

Deno.test("without a root key no socket is opened", async () => {
  await using service = await openTestService({ secrets: [] });
  await using server = new SocketServer(service);
  const response = await server.ask({ "x-api-key": server.token() });
  assertEquals([response.status, response.headers.get("retry-after")], [503, "5"]);
  await response.body?.cancel();
});

Deno.test("past the last socket the next is told 503 and to come back", async () => {
  await using service = await openTestService({ socketsMax: 2 });
  await using server = new SocketServer(service);
  const clients = [await server.client(), await server.client()];
  assertEquals(service.sockets.size, 2);
  const response = await server.ask({ "x-api-key": server.token() });
  assertEquals([response.status, response.headers.get("retry-after")], [503, "5"]);
  assertEquals((await response.json()).type, `${PROBLEM}too_many_sockets`);
  await clients[0]?.close();
  await until(() => service.sockets.size === 1);
  const third = await server.client();
  await third.close();
  await clients[1]?.close();
  await until(() => service.sockets.size === 0);
});

Deno.test("binary frames end the socket with 1003, oversize ones with 1009", async () => {
  await using service = await openTestService({ payloadBytesMax: 1_000 });
  await using server = new SocketServer(service);
  const binary = await server.client();
  binary.send(new Uint8Array([123, 125]));
  assertEquals((await binary.closed).code, 1003);
  const large = await server.client();
  large.send("x".repeat(3 * 1_000 + 16 * 1_024));
  assertEquals((await large.next()).status, 400, "still read");
  large.send("é".repeat(1_500 + 8 * 1_024) + "x");
  assertEquals((await large.closed).code, 1009);
  await until(() => service.sockets.size === 0);
  const lines = service.log.filter(({ event }) => event === "socket.refused");
  assertEquals(lines.map(({ code }) => code), [1003, 1009]);
});

Deno.test("a client that has read all and does not answer a Close is dropped after 5 s, its place is free", async () => {
  const closing = new FakeClock();
  await using service = await openTestService({
    upgrade: webSockets(closing),
    socketsMax: 1,
  });
  await using server = new SocketServer(service);
  using silent = await server.rawClient();
  await silent.send(BINARY, new Uint8Array(2));
  let goodbye: number | undefined;
  silent.frame().then(({ opcode, payload: [high = 0, low = 0] }) => {
    goodbye = opcode === CLOSE ? high * 256 + low : opcode;
  });
  await until(() => {
    closing.advance(25);
    return goodbye !== undefined;
  });
  assertEquals([goodbye, service.sockets.size], [1_003, 1]);
  closing.advance(5_000);
  await assertRejects(() => silent.frame(), "the connection ends");
  await until(() => service.sockets.size === 0);
  await (await server.client()).close();
});

Deno.test("a client that floods with frames is dropped: nobody else is served meanwhile", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  for (const opcode of [PONG, TEXT]) {
    using client = await server.rawClient();
    const frame = [0x80 | opcode, 0x80, 0, 0, 0, 0];
    const flood = new Uint8Array(Array.from({ length: 30_000 }, () => frame).flat());
    const isDropped = async () => {
      for (;;) await client.write(flood);
    };
    const reads = async () => {
      for (;;) await client.frame();
    };
    await assertRejects(() => Promise.all([isDropped(), reads()]));
    await until(() => service.sockets.size === 0);
  }
  await (await server.client()).close();
});

Deno.test("a burst of frames that a client may send drops nobody", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  using client = await server.rawClient();
  const pong = [0x80 | PONG, 0x80, 0, 0, 0, 0];
  await client.write(new Uint8Array(Array.from({ length: 2_000 }, () => pong).flat()));
  await client.send(TEXT, { ...NEW, id: UNKNOWN });
  assertEquals((await client.next()).status, 404);
});

Deno.test("when the process grows too much beside its sockets all of them are ended, and others open", async () => {
  const looks = new FakeClock();
  const growths: number[] = [];
  let bytes = 500 * MIB;
  const onGrown = (grown: number) => void growths.push(grown);
  const bounds = { bytesMax: 256 * MIB, memory: () => bytes };
  const memory = new MemoryGrowth({ clock: looks, onGrown, ...bounds });
  await using service = await openTestService({ upgrade: webSockets(systemClock, memory) });
  await using server = new SocketServer(service);
  const clients = [await server.client(), await server.client()];
  for (const mib of [400, 656]) {
    bytes = mib * MIB;
    looks.advance(100);
    for (const client of clients) {
      assertEquals((await client.ask({ ...NEW, id: UNKNOWN })).status, 404, `${mib} MiB`);
    }
  }
  bytes++;
  looks.advance(100);
  for (const client of clients) await client.closed;
  await until(() => service.sockets.size === 0);
  assertEquals(growths, [256 * MIB + 1]);
  looks.advance(100);
  assertEquals(looks.pending, 0, "without sockets nobody looks");
  const next = await server.client();
  looks.advance(1_000);
  assertEquals((await next.ask({ ...NEW, id: UNKNOWN })).status, 404);
  await next.close();
});

Deno.test("too many exports on one socket end it with 1008, and every one is carried out", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  await using server = new SocketServer(service);
  const client = await server.client();
  for (let n = 0; n < 256; n++) {
    client.send(NEW);
    // Only the first export of the lane is tried.
    assertEquals(statesOf(await client.take(n === 0 ? 2 : 1))[0], "Pending");
  }
  assertEquals(service.waiters.size, 256);
  client.send(NEW);
  assertEquals((await client.closed).code, 1008);
  await until(() => service.sockets.size === 0);
  assertEquals(service.waiters.size, 0);
  arrival.resolve(answered());
  await service.worker.idle();
  assertEquals(service.sent.length, 256);
});

Deno.test("a burst of frames is answered in full before the socket ends over the next one", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  await using server = new SocketServer(service);
  const client = await server.client();
  for (let n = 0; n < 300; n++) client.send(NEW);
  assertEquals((await client.closed).code, 1008);
  await assertAllTold(service, client.rest());
  arrival.resolve(answered());
});

Deno.test("who goes on sending while the socket ends is answered in full, too", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  await using server = new SocketServer(service);
  using client = await server.rawClient();
  const flood = (async () => {
    for (let n = 0; n < 3_000; n++) await client.send(TEXT, NEW);
  })().catch(() => {});
  // Until it is told goodbye, or the runtime drops it.
  const told = await Array.fromAsync(receiptsOf(client));
  arrival.resolve(answered());
  await assertAllTold(service, told);
  await flood;
});

Deno.test("who never stops sending is left all the same", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  using client = await server.rawClient();
  let isLeft = false;
  const flood = (async () => {
    while (!isLeft) await client.send(TEXT, "no export");
  })().catch(() => {});
  await until(() => service.sockets.size === 1);
  await service.sockets.close();
  await until(() => service.sockets.size === 0);
  isLeft = true;
  await flood;
});

Deno.test("a ping is answered with its own words", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  using client = await server.rawClient();
  const words = new TextEncoder().encode("still there?");
  await client.send(PING, words);
  assertEquals(await client.frame(), { opcode: PONG, payload: words });
});

Deno.test("a client's Close is answered with its code, and the service lives on", async () => {
  await using service = await openTestService();
  await using server = new SocketServer(service);
  using client = await server.rawClient();
  await client.send(TEXT, NEW);
  assertEquals((await client.next()).state, "Pending");
  await client.send(CLOSE, new Uint8Array([0x03, 0xe8]));
  let frame = await client.frame();
  while (frame.opcode === TEXT) frame = await client.frame();
  assertEquals([frame.opcode, ...frame.payload.subarray(0, 2)], [CLOSE, 0x03, 0xe8]);
  await until(() => service.sockets.size === 0);
  const next = await server.client();
  assertEquals((await next.ask({ ...NEW, id: UNKNOWN })).status, 404);
  await next.close();
});

for (const reading of [true, false]) {
  Deno.test(`a client that vanishes, ${reading ? "read up" : "reset"}, leaves nothing behind`, async () => {
    const arrival = Promise.withResolvers<SendResult>();
    await using service = await openTestService({ destination: () => arrival.promise });
    await using server = new SocketServer(service);
    {
      using client = await server.rawClient();
      for (let n = 0; n < 20; n++) await client.send(TEXT, NEW);
      for (let n = 0; reading && n < 21; n++) await client.next();
      await until(() => service.waiters.size === 20);
      await until(() => service.clock.pending === 21); // with the end of the lease
    }
    await until(() => service.sockets.size === 0);
    assertEquals([service.waiters.size, service.clock.pending], [0, 1]);
    arrival.resolve(answered());
    await service.worker.idle();
    assertEquals(service.sent.length, 20, "and takes nothing with it");
  });
}

Deno.test("when the service stops, whoever asked is answered, then told 1001", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  await using server = new SocketServer(service);
  const clients = [await server.client(), await server.client()];
  for (const client of clients) client.send(NEW);
  await until(() => service.waiters.size > 0);
  await service.sockets.close();
  assertEquals([service.waiters.size, service.sockets.isFullFor("anyone")], [0, true]);
  const response = await server.ask({ "x-api-key": server.token() });
  assertEquals(response.status, 503);
  await response.body?.cancel();
  for (const client of clients) {
    assertEquals(await client.closed, { code: 1001, reason: "The service is stopping" });
  }
  assertEquals(service.log.filter(({ event }) => event === "socket.refused"), []);
  await assertAllTold(service, clients.flatMap((client) => client.rest()));
  arrival.resolve(answered());
  await service.worker.idle();
});

Deno.test("a server that stops at once cuts off no receipt, and says 1001", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  const server = new SocketServer(service);
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.client()));
  for (const client of clients) client.send(NEW);
  await until(() => service.waiters.size > 0);
  await service.sockets.close();
  await server[Symbol.asyncDispose]();
  for (const client of clients) assertEquals((await client.closed).code, 1001);
  await assertAllTold(service, clients.flatMap((client) => client.rest()));
  await until(() => service.sockets.size === 0);
  arrival.resolve(answered());
  await service.worker.idle();
});

async function* receiptsOf(client: RawClient): AsyncIterable<Frame> {
  for (;;) {
    const frame = await client.frame().catch(() => undefined);
    if (frame?.opcode !== TEXT) return;
    yield JSON.parse(new TextDecoder().decode(frame.payload));
  }
}

/** Every export that was accepted is in one of the frames. */
async function assertAllTold(service: TestService, frames: readonly Frame[]) {
  await service.ledger.close();
  const accepted = (await service.entries()).filter(({ kind }) => kind === "export.accepted");
  assert(accepted.length > 0);
  assertEquals(new Set(frames.map(({ id }) => id)), new Set(accepted.map(({ id }) => id)));
}

/** A service with a socket in the test's hand. */
async function slowService() {
  let most = 0;
  const arrival = Promise.withResolvers<SendResult>();
  const sockets: Pick<WebSocket, "bufferedAmount">[] = [];
  const closing = new FakeClock();
  const service = await openTestService({
    requiredCaveats: ["target"],
    destination: () => arrival.promise,
    upgrade(request, options) {
      const { socket, response } = webSockets(closing)(request, options);
      const send = socket.send.bind(socket);
      socket.send = (frame) => {
        send(frame);
        most = Math.max(most, socket.bufferedAmount);
      };
      sockets.push(socket);
      return { socket, response };
    },
  });
  return {
    service,
    closing,
    finishAll: async () => {
      arrival.resolve(answered("x".repeat(MIB)));
      await service.worker.idle();
    },
    /** Resolves when the system takes no more of what is sent. */
    slow: () =>
      until(() => {
        service.clock.advance(25);
        return sockets.some(({ bufferedAmount }) => bufferedAmount > SLOW);
      }),
    /** How much was unsent at most. */
    most: () => most,
  };
}

/** Submits `count` exports over HTTP, each to its own destination, and asks for them on a socket. */
async function followMany(server: SocketServer, count: number): Promise<RawClient> {
  const token = server.service.token({ destination: undefined });
  const client = await server.rawClient(server.token({ destination: undefined }));
  for (let n = 0; n < count; n++) {
    const uri = destination(n);
    const { id } = await server.service.submit("{}", { uri, token });
    await client.send(TEXT, { ...NEW, uri, id });
  }
  await until(() => server.service.waiters.size === count);
  return client;
}

function destination(n: number): string {
  return `https://destination-${n}.example/`;
}

Deno.test("a client that does not read costs one answer and little more, and misses nothing", async () => {
  const { service, finishAll, slow, most } = await slowService();
  await using _ = service;
  await using server = new SocketServer(service);
  using client = await followMany(server, 30);
  await finishAll();
  await slow();
  await client.send(TEXT, { ...NEW, id: UNKNOWN });
  const finished = new Set<unknown>();
  for (let problems = 0; finished.size < 30 || problems < 1;) {
    let frame: Frame | undefined;
    client.next().then((next) => frame = next);
    await until(() => {
      service.clock.advance(25);
      return frame !== undefined;
    });
    if (frame?.state === "Finished") finished.add(frame.id);
    if (frame?.instance === UNKNOWN) problems++;
  }
  assert(most() > MIB && most() <= MIB + SLOW + 1_000, `${most()} bytes were unsent`);
  await noTimersLeft(service);
});

Deno.test("a client that never reads is left after 30 s with 1008, and nothing is lost", async () => {
  const { service, closing, finishAll, slow, most } = await slowService();
  await using _ = service;
  await using server = new SocketServer(service);
  {
    using _client = await followMany(server, 30);
    await finishAll();
    await slow();
    const left = () => service.log.find(({ event }) => event === "socket.refused");
    await until(() => {
      service.clock.advance(25);
      return left() !== undefined;
    });
    assertEquals(left()?.code, 1008);
    assert(most() <= MIB + SLOW + 1_000, `${most()} bytes were unsent`);
    await noTimersLeft(service);
    closing.advance(60_000);
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(
      [service.waiters.size, service.sockets.size, closing.pending],
      [0, 1, 0],
      "it counts while it is there, for its descriptor and what it did not read are, too",
    );
  }
  await until(() => service.sockets.size === 0);
  const id = String((await service.entries())[0]?.id);
  const token = service.token({ path: "/export", destination: undefined });
  assertEquals((await service.poll(id, { uri: destination(0), token })).state, "Finished");
});

/** Only the ends of leases are left on the clock, and they do nothing. */
async function noTimersLeft(service: TestService): Promise<void> {
  service.clock.advance(45_000);
  await service.worker.idle();
  assertEquals(service.clock.pending, 0);
}
