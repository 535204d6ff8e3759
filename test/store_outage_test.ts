/** What a store that is away, or fails once, must not bring about. */
import { assert, assertEquals } from "@std/assert";
import type { SendResult } from "../src/deliver/attempt.ts";
import { OpenExports } from "../src/ledger/open_exports.ts";
import { denying } from "./fakes/denying_kv.ts";
import { FakeClock } from "./fakes/fake_clock.ts";
import { KvQueueBell } from "../src/ledger/kv_queue_bell.ts";
import { pass } from "./fakes/fault.ts";
import { hang, having, killRuled, openRuled, Ruled } from "./fakes/ruled.ts";
import { answered, DESTINATION, openTestService } from "./fakes/test_service.ts";

Deno.test("a store that is away for longer than a lease has nothing sent twice", async () => {
  const world = await openRuled({
    destination: () => (world.trouble.rule = () => away ? "fails" : undefined, answered()),
  });
  let away = true;
  await using service = world.service;
  await service.submit();
  await world.pass(60_000);
  away = false;
  await world.pass(60_000);
  assertEquals(service.sent.length, 1);
});

Deno.test("nor has one failing commit while the clock is put forward", async () => {
  const world = await openRuled({
    destination: () => {
      if (world.service.sent.length > 1) return answered();
      world.clock.jump(3_600_000);
      world.trouble.failOnce();
      return answered();
    },
  });
  await using service = world.service;
  await service.submit();
  await world.pass(120_000);
  assertEquals(service.sent.length, 1);
});

Deno.test("nor has one failing commit that was to claim the export behind as well", async () => {
  const arrivals = [1, 2].map(() => Promise.withResolvers<SendResult>());
  const world = await openRuled({
    destination: () => arrivals[world.service.sent.length - 1]?.promise ?? answered(),
  });
  await using service = world.service;
  for (const data of ["[1]", "[2]", "[3]"]) await service.submit(data);
  arrivals[0]?.resolve(answered());
  await world.pass(0);
  world.trouble.failOnce();
  arrivals[1]?.resolve(answered());
  await world.pass(120_000);
  const sent = service.sent.map(({ body }) => new TextDecoder().decode(body));
  assertEquals(sent, ["[1]", "[2]", "[3]"]);
});

Deno.test("nor has one failing commit while the service stops", async () => {
  const kv = await Deno.openKv(":memory:");
  const arrival = Promise.withResolvers<SendResult>();
  const one = await openRuled({ kv, destination: () => arrival.promise });
  await one.service.submit();
  await one.pass(0);
  const stopped = one.service.worker.stop(8_000);
  one.trouble.failOnce();
  arrival.resolve(answered());
  await one.pass(8_000);
  await stopped;
  await killRuled(one);
  const { clock, service: { sent } } = one;
  const two = await openRuled({ kv, clock, sent });
  await two.service.worker.wakeAll();
  await two.pass(60_000);
  await killRuled(two);
  kv.close();
  assertEquals(sent.length, 1, "there were 8 s to write down that it had been answered");
});

Deno.test("while an outcome waits for the store, that is logged once a minute", async () => {
  const world = await openRuled({
    destination: () => (world.trouble.rule = () => "fails", answered()),
  });
  await using service = world.service;
  await service.submit();
  await world.pass(599_000);
  world.trouble.rule = () => undefined;
  await world.pass(60_000);
  assertEquals(service.log.filter(({ event }) => event === "store.failed").length, 10);
});

Deno.test("thousands of lanes do not fill the log while the store has no room", async () => {
  let isFull = false;
  const world = await openRuled({
    storage: () => Promise.resolve(isFull ? { kind: "exhausted", roomBytes: 1 } : { kind: "well" }),
    destination: () =>
      isFull || world.clock.elapsed < 900
        ? { kind: "failed", code: "connection_lost" }
        : answered(),
  });
  await using service = world.service;
  for (let n = 0; n < 200; n++) await service.submit("{}", { uri: `https://h${n}.example/` });
  await world.pass(800);
  isFull = true;
  await world.pass(60_000);
  const { length } = service.log.filter(({ event }) => event === "lane.failed");
  isFull = false;
  await world.pass(60_000);
  assert(length < 1_000, `${length} lines in a minute`);
});

for (const hours of [0, 25]) {
  Deno.test(`one read of a payload that fails ${hours} h after its acceptance costs seconds, and tells nothing false`, async () => {
    const [clock, kv] = [new FakeClock(), await Deno.openKv(":memory:")];
    const first = await openRuled({ kv, clock, parallel: 1, destination: hang });
    await first.service.submit("{}", { uri: "https://other.example/" });
    const { id } = await first.service.submit(JSON.stringify(["x".repeat(20_000)]));
    await killRuled(first);
    clock.advance(hours * 3_600_000);
    let fails = true;
    const getMany = (...args: Parameters<Deno.Kv["getMany"]>) =>
      fails
        ? (fails = false, Promise.reject(new TypeError("The call fails")))
        : kv.getMany(...args);
    const world = await openRuled({ kv: having(kv, { getMany }), clock });
    await world.service.worker.wakeAll();
    await world.pass(10_000);
    const ends = (await world.service.entries()).filter((entry) =>
      entry.id === id && entry.kind.startsWith("attempt.") && entry.kind !== "attempt.started"
    );
    await killRuled(world);
    kv.close();
    assertEquals(ends.map(({ kind, outcome }) => [kind, outcome]), [
      ["attempt.ended", "answered"],
    ]);
  });
}

Deno.test("what was settled is not counted as open, however long the store was away", async () => {
  const world = await openRuled({
    openMax: { exports: 1, bytes: 1_000 },
    destination: () => {
      let isFirst = true;
      if (world.service.sent.length === 1) {
        world.trouble.rule = () => isFirst ? (isFirst = false, "lies") : "fails";
      }
      return answered();
    },
  });
  await using service = world.service;
  await service.submit();
  await world.pass(120_000);
  world.trouble.rule = () => undefined;
  await world.pass(120_000);
  assertEquals(await Array.fromAsync(service.ledger.lanes()), []);
  assertEquals((await service.submit()).state, "Pending"); // 429
});

Deno.test("a lane whose acceptance failed does not stay in doubt", async () => {
  const doubtful = new Set<string>();
  const { failed, foundEmpty } = OpenExports.prototype;
  OpenExports.prototype.failed = function (record) {
    doubtful.add(record.lane);
    failed.call(this, record);
  };
  OpenExports.prototype.foundEmpty = function (lane, doubt) {
    foundEmpty.call(this, lane, doubt);
    if (this.doubtSince(lane) === undefined) doubtful.delete(lane);
  };
  try {
    const world = await openRuled({
      parallel: 1,
      destination: () =>
        new Promise((resolve) => world.clock.after(20_000, () => resolve(answered()))),
    });
    await using service = world.service;
    await service.submit();
    world.trouble.rule = () => "fails";
    for (let n = 0; n < 50; n++) {
      await service.submit("{}", { uri: `https://a.example/${n}` }).catch(() => {});
    }
    world.trouble.rule = () => undefined;
    await world.pass(3_600_000);
    assertEquals(doubtful.size, 0);
  } finally {
    Object.assign(OpenExports.prototype, { failed, foundEmpty });
  }
});

Deno.test("a worker that stops claims nothing more", async () => {
  const [clock, kv] = [new FakeClock(), await Deno.openKv(":memory:")];
  const first = await openRuled({ kv, clock, destination: hang });
  await first.service.submit();
  await killRuled(first);
  const looked = Promise.withResolvers<void>();
  const get = async (key: Deno.KvKey) => {
    if (isOpen && key[0] === "export") await looked.promise;
    return await kv.get(key);
  };
  let isOpen = false;
  const late = await openTestService({ kv: having(kv, { get }), clock });
  isOpen = true;
  await late.worker.wakeAll();
  await new Promise((resolve) => setTimeout(resolve, 20));
  const stopped = late.worker.stop(8_000);
  looked.resolve();
  await stopped;
  await late.ledger.close();
  kv.close();
  assertEquals(late.sent.length, 0);
});

Deno.test("nor does one that reads a payload at that moment", async () => {
  await using service = await openTestService({
    destination: () =>
      service.sent.length === 1 ? { kind: "failed", code: "connection_lost" } : answered(),
  });
  await service.submit();
  await service.worker.idle();
  const payload = service.ledger.payload.bind(service.ledger);
  const gate = Promise.withResolvers<void>();
  let isReading = false;
  service.ledger.payload = async (held) => {
    isReading = true;
    await gate.promise;
    return await payload(held);
  };
  service.clock.advance(5_000);
  while (!isReading) await new Promise((resolve) => setTimeout(resolve));
  const stopped = service.worker.stop(8_000);
  gate.resolve();
  await stopped;
  assertEquals(service.sent.length, 1);
});

Deno.test("a payload that cannot be read keeps its own lane only, and the log names it", async () => {
  const world = await openRuled({
    destination: () =>
      world.clock.elapsed < 1_000 ? { kind: "failed", code: "connection_lost" } : answered(),
  });
  await using service = world.service;
  const damaged = await service.submit();
  const payload = service.ledger.payload.bind(service.ledger);
  service.ledger.payload = async (held) => {
    if (held.record.id === damaged.id) throw new Error("Cannot read payload: missing");
    return await payload(held);
  };
  await world.pass(5_000);
  const other = await service.submit("{}", { uri: "https://other.example/" });
  await world.pass(60_000);
  assertEquals((await service.poll(other.id, { uri: "https://other.example/" })).state, "Finished");
  const lines = service.log.filter(({ event }) => event === "store.failed");
  assertEquals(new Set(lines.map(({ id }) => id)), new Set([damaged.id]));
  assert(lines.length <= 20, `${lines.length} lines in a minute`);
});

Deno.test("an outcome that waited for the store longer than its retention is kept from then on", async () => {
  const world = await openRuled({
    retentionMs: 60_000,
    destination: () => (world.trouble.rule = () => "fails", answered("thank you")),
  });
  await using service = world.service;
  const { id } = await service.submit();
  await world.pass(120_000);
  world.trouble.rule = () => undefined;
  await world.pass(5_000);
  const { state, ext_response } = await service.poll(id);
  assertEquals([state, ext_response.body], ["Finished", "thank you"]);
  await world.pass(60_000);
  const late = await service.ask("/lp/export", { id, uri: DESTINATION, data: "{}" });
  assertEquals(late.status, 404);
  await late.body?.cancel();
});

Deno.test("what was finished is open no longer, also if it is gone before anybody could look", async () => {
  const world = await openRuled({
    retentionMs: 1_000,
    openMax: { exports: 1, bytes: 1e9 },
    destination: () => {
      let denied = false;
      world.trouble.rule = () => denied ? "fails" : (denied = true, "lies");
      return answered();
    },
  });
  await using service = world.service;
  const { id } = await service.submit();
  await world.pass(600_000);
  // As KV does when the retention and its spread are over.
  await service.kv.delete(["export", id]);
  world.trouble.rule = () => undefined;
  await world.pass(60_000);
  assertEquals(service.ledger.openTotal().exports, 0);
});

Deno.test("a clock put back a month while an outcome waits for the store holds nothing up", async () => {
  const clock = new FakeClock();
  const trouble = new Ruled();
  const service = await openTestService({
    clock,
    trouble,
    openBell: (kv, clock) => new KvQueueBell(kv, clock),
    destination: () => {
      if (service.sent.length > 1) return answered();
      trouble.rule = () => "fails";
      return { kind: "failed", code: "connection_refused" };
    },
  });
  const { id } = await service.submit();
  await pass(2_000, clock, trouble);
  clock.jump(-31 * 86_400_000);
  trouble.rule = () => undefined;
  await pass(3 * 3_600_000, clock, trouble);
  assertEquals((await service.poll(id)).state, "Finished");
  const disposed = service[Symbol.asyncDispose]();
  clock.advance(1);
  await disposed;
});

Deno.test("on a low disk, where no queue is heard, lanes go on after a commit that denied it held", async () => {
  const clock = new FakeClock();
  const real = await Deno.openKv(":memory:");
  const uris = ["a", "b", "c"].map((name) => `https://${name}.example/`);
  const first = await openRuled({ kv: real, clock, destination: hang });
  const submitted = [];
  for (const uri of [...uris, ...uris]) {
    submitted.push({ uri, id: (await first.service.submit("{}", { uri })).id });
  }
  await killRuled(first);
  const { kv, denyNext } = denying(real);
  const trouble = new Ruled();
  const both = Promise.withResolvers<void>();
  const service = await openTestService({
    ...{ kv, clock, trouble, parallel: 2 },
    storage: () => Promise.resolve({ kind: "low", roomBytes: 1 }),
    openBell: (kv, clock) => Object.assign(new KvQueueBell(kv, clock), { listen: () => {} }),
    destination: async () => {
      if (service.sent.length === 2) {
        denyNext();
        both.resolve();
      }
      await both.promise;
      return answered();
    },
  });
  await service.worker.wakeAll();
  await pass(3 * 3_600_000, clock, trouble);
  for (const { id, uri } of submitted) {
    assertEquals((await service.poll(id, { uri })).state, "Finished");
  }
  const disposed = service[Symbol.asyncDispose]();
  clock.advance(1);
  await disposed;
  real.close();
});

Deno.test("a worker that stops claims nothing that it was still reading behind what it settles", async () => {
  const [read, answer, reading, answering] = Array.from(
    { length: 4 },
    () => Promise.withResolvers<void>(),
  ) as [Gate, Gate, Gate, Gate];
  await using service = await openTestService({
    destination: async () => {
      if (service.sent.length === 1) await answer.promise;
      else answering.resolve();
      return answered();
    },
  });
  await service.submit("[1]");
  await service.submit("[2]");
  const { id } = await service.submit("[3]");
  const { ledger } = service;
  const payload = ledger.payload.bind(ledger);
  ledger.payload = async (held) => {
    if (held.record.id === id) {
      reading.resolve();
      await read.promise;
    }
    return await payload(held);
  };
  answer.resolve();
  await Promise.all([reading.promise, answering.promise]);
  // A turn later the second one is answered, and all that it waits for is what stands behind it.
  await new Promise((resolve) => setTimeout(resolve));
  const stopped = service.worker.stop(8_000);
  read.resolve();
  await stopped;
  const bodies = service.sent.map(({ body }) => new TextDecoder().decode(body));
  assertEquals(bodies, ["[1]", "[2]"]);
});

type Gate = PromiseWithResolvers<void>;

Deno.test("a result is kept for its retention, however long what stands behind it took to read", async () => {
  const [read, answer, reading] = Array.from(
    { length: 3 },
    () => Promise.withResolvers<void>(),
  ) as [Gate, Gate, Gate];
  await using service = await openTestService({
    retentionMs: 60_000,
    destination: async () => {
      if (service.sent.length === 1) await answer.promise;
      return answered();
    },
  });
  await service.submit("[1]");
  const { id } = await service.submit("[2]");
  const behind = await service.submit("[3]");
  const { ledger } = service;
  const payload = ledger.payload.bind(ledger);
  ledger.payload = async (held) => {
    if (held.record.id === behind.id) {
      reading.resolve();
      await read.promise;
    }
    return await payload(held);
  };
  answer.resolve();
  await reading.promise;
  // A turn later the second one is answered, and waits for what stands behind it.
  await new Promise((resolve) => setTimeout(resolve));
  service.clock.advance(120_000);
  read.resolve();
  await service.until(behind.id, "Finished");
  assertEquals((await service.poll(id)).state, "Finished");
});
