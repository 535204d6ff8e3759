/** Large answers on their way to those who poll: what they take at once, and for how long. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { streamedJson } from "../../src/http/streamed_json.ts";
import type { PlaceBounds } from "../../src/http/places.ts";
import { PlacesInTurn } from "../../src/http/places_in_turn.ts";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { answered, DESTINATION, openTestService } from "../fakes/test_service.ts";
import { SocketServer, until } from "./socket_client.ts";

const KIB = 1_024;
const STALL_MS = 120_000;
const WAIT_MS = 5_000;

/** A response of `kib` KiB, and how often it ended. */
function response(kib: number) {
  const clock = new FakeClock();
  const ends = { count: 0 };
  const text = JSON.stringify("ü".repeat(kib * KIB / 2 - 1));
  return {
    clock,
    ends,
    text,
    response: streamedJson(new TextEncoder().encode(text), clock, () => ends.count++),
  };
}

Deno.test("a large response says its length and type, and ends when all of it is taken", async () => {
  const { clock, ends, text, response: { headers, body } } = response(200);
  assertEquals(headers.get("content-type"), "application/json");
  assertEquals(headers.get("content-length"), String(new TextEncoder().encode(text).length));
  const pieces: Uint8Array[] = [];
  for await (const piece of body ?? []) {
    pieces.push(piece);
    assertEquals([ends.count, clock.pending], pieces.length < 4 ? [0, 1] : [1, 0]);
  }
  assertEquals(await new Blob(pieces as BlobPart[]).text(), text);
});

Deno.test("a reader may take its time with each piece, but not two minutes", async () => {
  const { clock, ends, response: { body } } = response(200);
  const reader = body?.getReader();
  for (let n = 0; n < 2; n++) {
    clock.advance(STALL_MS - 1);
    assertEquals((await reader?.read())?.value?.length, 64 * KIB);
  }
  clock.advance(STALL_MS - 1);
  assertEquals(ends.count, 0);
  clock.advance(1);
  assertEquals([ends.count, clock.pending], [1, 0]);
  assertEquals(await reader?.read(), { done: true, value: undefined }, "too short for its length");
});

Deno.test("a reader that never begins has two minutes, too", () => {
  const { clock, ends } = response(200);
  clock.advance(STALL_MS - 1);
  assertEquals(ends.count, 0);
  clock.advance(1);
  assertEquals([ends.count, clock.pending], [1, 0]);
});

Deno.test("a reader that goes away ends it at once", async () => {
  const { clock, ends, response: { body } } = response(200);
  const reader = body?.getReader();
  await reader?.read();
  await reader?.cancel();
  assertEquals([ends.count, clock.pending], [1, 0]);
});

/** Takes places and tells in which order they were had. */
function line(bounds: PlaceBounds, waiting: PlaceBounds = { total: 100, perOwner: 100 }) {
  const clock = new FakeClock();
  const places = new PlacesInTurn(bounds, waiting);
  const had: string[] = [];
  const leaves = new Map<string, () => void>();
  const take = async (name: string, count: number) => {
    const wait = { clock, timeoutMs: WAIT_MS };
    const leave = await places.take(name.charAt(0), count, wait);
    had.push(leave === undefined ? `not ${name}` : name);
    if (leave !== undefined) leaves.set(name, leave);
  };
  const rest = () => new Promise((resolve) => setTimeout(resolve));
  return { clock, places, had, leaves, take, rest };
}

Deno.test("places are had in the order of coming, and nobody waits for others of another owner", async () => {
  const { clock, places, had, leaves, take, rest } = line({ total: 10, perOwner: 6 });
  const all = [take("a1", 6), take("a2", 1), take("b1", 4), take("c1", 2), take("c2", 1)];
  await rest();
  assertEquals(had, ["a1", "b1"], "one owner cannot take them all");
  leaves.get("b1")?.();
  await rest();
  assertEquals(had, ["a1", "b1", "c1", "c2"]);
  leaves.get("a1")?.();
  await Promise.all(all);
  assertEquals(had, ["a1", "b1", "c1", "c2", "a2"]);
  for (const leave of leaves.values()) leave();
  assertEquals([places.taken, clock.pending], [0, 0]);
});

Deno.test("who waits for their own owner's places keeps nobody waiting, however many they want", async () => {
  const { had, leaves, take, rest } = line({ total: 10, perOwner: 6 });
  const all = [take("a1", 6), take("a2", 5), take("b1", 4)];
  await rest();
  assertEquals(had, ["a1", "b1"]);
  leaves.get("a1")?.();
  await Promise.all(all);
  assertEquals(had, ["a1", "b1", "a2"]);
});

Deno.test("small ones do not overtake a large one for ever", async () => {
  const { had, leaves, take, rest } = line({ total: 10, perOwner: 10 });
  const all = [take("a1", 8), take("b1", 4), take("c1", 1)];
  await rest();
  assertEquals(had, ["a1"]);
  leaves.get("a1")?.();
  await Promise.all(all);
  assertEquals(had, ["a1", "b1", "c1"]);
});

Deno.test("who gives up at the head of the line makes way for those behind", async () => {
  const { clock, places, had, leaves, take, rest } = line({ total: 10, perOwner: 6 });
  await take("a1", 6);
  const all = [take("b1", 5)];
  clock.advance(WAIT_MS - 1);
  all.push(take("c1", 1), take("d1", 3));
  await rest();
  assertEquals(had, ["a1"]);
  clock.advance(1);
  await Promise.all(all);
  assertEquals(had, ["a1", "not b1", "c1", "d1"]);
  for (const leave of leaves.values()) leave();
  assertEquals([places.taken, clock.pending], [0, 0]);
});

Deno.test("who finds no place in time has none, and leaves none behind", async () => {
  const { clock, places, had, leaves, take } = line({ total: 2, perOwner: 2 });
  await take("a1", 2);
  const late = take("b1", 1);
  clock.advance(WAIT_MS);
  await late;
  assertEquals(had, ["a1", "not b1"]);
  leaves.get("a1")?.();
  assertEquals([places.taken, clock.pending], [0, 0]);
});

Deno.test("no more wait than may, and who has waited is not counted any more", async () => {
  const waiting = { total: 3, perOwner: 2 };
  const { clock, had, leaves, take, rest } = line({ total: 1, perOwner: 1 }, waiting);
  await take("a1", 1);
  const all = [take("a2", 1), take("a3", 1), take("a4", 1), take("b1", 1), take("c1", 1)];
  await rest();
  assertEquals(had, ["a1", "not a4", "not c1"]);
  leaves.get("a1")?.();
  await rest();
  all.push(take("a5", 1));
  await rest();
  assertEquals(had.slice(3), ["a2"]);
  clock.advance(WAIT_MS);
  await Promise.all(all);
  assertEquals(had.slice(4).toSorted(), ["not a3", "not a5", "not b1"]);
});

Deno.test("who wants more than an owner may have takes all of that", async () => {
  const { had, places, take } = line({ total: 4, perOwner: 2 });
  await take("a1", 100);
  assertEquals([had, places.taken], [["a1"], 2]);
});

Deno.test("whatever comes, goes and is late, no bound is passed and nothing stays taken", async () => {
  const bounds = { total: 5, perOwner: 3 };
  const step = fc.record({
    owner: fc.constantFrom("a", "b", "c"),
    count: fc.integer({ min: 1, max: 4 }),
    leaves: fc.nat({ max: 3 }),
    ms: fc.constantFrom(0, 0, WAIT_MS),
  });
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
    const { clock, places, leaves, take, rest } = line(bounds);
    const all: Promise<void>[] = [];
    for (const [n, { owner, count, leaves: left, ms }] of steps.entries()) {
      all.push(take(`${owner}${n}`, count));
      clock.advance(ms);
      await rest();
      assert(places.taken <= bounds.total);
      for (const [name, leave] of [...leaves].slice(0, left)) {
        leave();
        leaves.delete(name);
      }
    }
    await rest();
    clock.advance(WAIT_MS);
    await Promise.all(all);
    for (const leave of leaves.values()) leave();
    assertEquals([places.taken, clock.pending], [0, 0]);
  }));
});

const NEW = { id: "", uri: DESTINATION, data: "{}" };
const LARGE = "x".repeat(100 * KIB);

Deno.test("so much is on its way at once; the next waits 5 s for its turn, then is told 503", async () => {
  // Six bytes of JSON for each of an answer, until it is known how many there are.
  const answers = { total: 900 * KIB, perOwner: 750 * KIB };
  await using service = await openTestService({
    destination: () => answered(LARGE),
    bounds: { answers },
  });
  const { id } = await service.submit();
  await service.worker.idle();
  const poll = () => service.ask("/lp/export", { ...NEW, id });
  const unread = [await poll(), await poll()];
  const third = poll();
  await until(() => service.clock.untilNext === WAIT_MS);
  service.clock.advance(WAIT_MS);
  const refused = await third;
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assertMatch((await refused.json()).type, /:too_many_answers$/);
  const limited = service.log.filter(({ event }) => event === "request.limited");
  assertEquals(limited.map(({ code }) => code), ["too_many_answers"]);

  const fourth = poll();
  await until(() => service.clock.untilNext === WAIT_MS);
  assertEquals((await unread[0]?.json()).ext_response.body, LARGE);
  assertEquals((await (await fourth).json()).ext_response.body, LARGE, "its turn has come");
  await unread[1]?.body?.cancel();
});

Deno.test("whoever does not read a large answer loses it after two minutes; others have it then", async () => {
  // More than the system takes for somebody who does not read.
  const huge = LARGE.repeat(400);
  const answers = { total: huge.length, perOwner: huge.length };
  await using service = await openTestService({
    destination: () => answered(huge),
    bounds: { answers },
  });
  await using server = new SocketServer(service);
  const { id } = await service.submit();
  await service.worker.idle();
  const body = JSON.stringify({ ...NEW, id });
  const head = [
    "POST /lp/export HTTP/1.1",
    "host: localhost",
    `x-api-key: ${service.token()}`,
    `content-length: ${body.length}`,
  ].join("\r\n");
  using unreading = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await unreading.write(new TextEncoder().encode(`${head}\r\n\r\n${body}`));
  const buffer = new Uint8Array(65_536);
  let received = await unreading.read(buffer) ?? 0;

  for (let status = 503; status === 503;) {
    let response: Response | undefined;
    service.ask("/lp/export", { ...NEW, id }).then((answer) => response = answer);
    await until(() => {
      service.clock.advance(1_000);
      return response !== undefined;
    });
    status = response?.status ?? 0;
    await response?.body?.cancel();
  }
  for (let read: number | null = 0; read !== null; received += read ?? 0) {
    read = await unreading.read(buffer).catch(() => null);
  }
  assert(received < huge.length, `${received} bytes came`);
});

Deno.test("a poll that is released is told 503, and by an answer that ends its connection", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  const { id } = await service.submit();
  await until(() => service.sent.length === 1);
  const poll = service.ask("/lp/export?timeout=60", { ...NEW, id });
  await until(() => service.waiters.size === 1);
  service.waiters.release();
  const refused = await poll;
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  const declared = Number(refused.headers.get("content-length"));
  const text = await refused.text();
  assertMatch(JSON.parse(text).type, /:too_many_polls$/);
  assertEquals(declared, text.length + 1);
  arrival.resolve(answered());
});

Deno.test("an answer that cannot be read keeps no room, and neither does who has gone", async () => {
  const answers = { total: LARGE.length, perOwner: LARGE.length };
  await using service = await openTestService({
    destination: () => answered(LARGE),
    bounds: { answers },
  });
  const { id } = await service.submit();
  await service.worker.idle();
  const { answer } = service.ledger;
  service.ledger.answer = () => Promise.reject(new Error("The store fails"));
  const failed = await service.ask("/lp/export", { ...NEW, id });
  assertMatch((await failed.json()).type, /:store_unavailable$/);
  service.ledger.answer = answer.bind(service.ledger);
  const unread = await service.ask("/lp/export", { ...NEW, id });
  assertEquals(unread.status, 200);

  const leaving = new AbortController();
  const gone = service.app.request("/lp/export", {
    method: "POST",
    headers: { "x-api-key": service.token() },
    body: JSON.stringify({ ...NEW, id }),
    signal: leaving.signal,
  });
  await until(() => service.clock.untilNext === WAIT_MS);
  leaving.abort();
  assertEquals((await gone).status, 503, "told to nobody, at once");
  const limited = service.log.filter(({ event }) => event === "request.limited");
  assertEquals(limited, [], "nor is it logged: who leaves meets no limit");
  await (await gone).body?.cancel();
  await unread.body?.cancel();
  assertEquals((await service.poll(id)).ext_response.body, LARGE);
});
