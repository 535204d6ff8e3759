/** How a worker stops: it begins nothing more, and leaves nothing that would go on by itself. */
import { assertEquals } from "@std/assert";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { KvQueueBell } from "../../src/ledger/kv_queue_bell.ts";
import { hang, openRuled } from "../fakes/ruled.ts";
import { answered, openTestService } from "../fakes/test_service.ts";

const GRACE_MS = 8_000;
const REFUSED: SendResult = { kind: "failed", code: "connection_refused" };

/** A service with one export on its way; `arrival` is what the destination makes of it. */
async function delivering() {
  const arrival = Promise.withResolvers<SendResult>();
  const world = await openRuled({
    destination: (request) => Promise.race([arrival.promise, hang(request)]),
    // One whose wake-ups are not timers of the test's clock.
    openBell: (kv, clock) => Object.assign(new KvQueueBell(kv, clock), { listen: () => {} }),
  });
  await world.service.submit();
  await world.pass(0);
  return { ...world, arrival, stop: () => world.service.worker.stop(GRACE_MS) };
}

type World = Awaited<ReturnType<typeof delivering>>;

/** What a worker is doing when it is stopped; each stops it, and goes on until it has stopped. */
const STOPS: Readonly<Record<string, (world: World) => Promise<void>>> = {
  "nothing": async ({ arrival, pass, stop }) => {
    arrival.resolve(answered());
    await pass(0);
    await stop();
  },
  "an attempt that fails then": async ({ arrival, stop }) => {
    const stopped = stop();
    arrival.resolve(REFUSED);
    await stopped;
  },
  "an attempt that does not end in time": async ({ pass, stop }) => {
    const stopped = stop();
    await pass(GRACE_MS);
    await stopped;
  },
  "wait for the next attempt": async ({ arrival, pass, stop }) => {
    arrival.resolve(REFUSED);
    await pass(0);
    await stop();
  },
  "wait for a store that takes no outcome": async ({ arrival, pass, stop, trouble }) => {
    trouble.rule = () => "fails";
    arrival.resolve(answered());
    await pass(0);
    const stopped = stop();
    await pass(GRACE_MS + 1_000);
    await stopped;
  },
  "wait for a store that cannot be read": async ({ arrival, pass, service, stop }) => {
    arrival.resolve(REFUSED);
    await pass(0);
    service.ledger.head = () => Promise.reject(new TypeError("The read fails"));
    await pass(5_000);
    await stop();
  },
  "a reading of all lanes, which fails then": async ({ arrival, pass, service, stop }) => {
    arrival.resolve(answered());
    await pass(0);
    const { promise, reject } = Promise.withResolvers<never>();
    service.ledger.lanes = async function* () {
      yield await promise;
    };
    const read = service.worker.wakeAll();
    const stopped = stop();
    reject(new TypeError("The read fails"));
    await Promise.all([read, stopped]);
  },
  "a look at a store that fails then": async ({ arrival, clock, pass, service, stop }) => {
    arrival.resolve(REFUSED);
    await pass(0);
    const look = Promise.withResolvers<undefined>();
    service.ledger.head = () => look.promise;
    clock.advance(5_000);
    const stopped = stop();
    look.reject(new TypeError("The read fails"));
    await stopped;
  },
};

for (const [what, stopIn] of Object.entries(STOPS)) {
  Deno.test(`a worker whose business is ${what} stops without a fault, and leaves no timer behind`, async () => {
    const world = await delivering();
    await stopIn(world);
    assertEquals(world.clock.pending, 0);
    assertEquals(world.service.sent.length, 1);
    assertEquals(world.service.log.filter(({ event }) => event === "lane.failed"), []);
    world.trouble.rule = () => undefined;
    await world.service[Symbol.asyncDispose]();
  });
}

Deno.test("what is accepted while a worker stops is not delivered by it", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  await service.submit("[1]");
  const stopped = service.worker.stop(GRACE_MS);
  const { id } = await service.submit("[2]", { uri: "https://other.example/" });
  arrival.resolve(answered());
  await stopped;
  assertEquals(service.sent.length, 1);
  assertEquals((await service.ledger.find(id, () => true))?.state, "pending");
});

Deno.test("a worker that stops looks at no more lanes, however many wait for a hand or are woken", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({
    parallel: 1,
    destination: () => arrival.promise,
  });
  const { ledger, worker } = service;
  for (let n = 0; n < 3; n++) await service.submit("{}", { uri: `https://a.example/${n}` });
  let looks = 0;
  ledger.head = () => (looks++, Promise.resolve(undefined));
  const stopped = worker.stop(GRACE_MS);
  arrival.resolve(answered());
  await stopped;
  worker.wake(["a lane"]);
  assertEquals(looks, 0);
});
