/** While the store fails: how long lanes are left alone, and what the log says of it. */
import { assert, assertEquals } from "@std/assert";
import { StoreRest } from "../../src/deliver/store_rest.ts";
import { Timers } from "../../src/deliver/timers.ts";
import { StoreFailed } from "../../src/ledger/ledger.ts";
import { defined } from "../fakes/expect.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { hang, killRuled, openRuled } from "../fakes/ruled.ts";
import { answered } from "../fakes/test_service.ts";

const FAILED = new StoreFailed(new TypeError("The store is away"));

/** A rest on a clock; how often it was over, and the lines that it logged. */
function rest() {
  const clock = new FakeClock();
  const seen = { over: 0, lines: 0 };
  const rest = new StoreRest(new Timers(clock), () => seen.lines++, () => seen.over++);
  return { clock, rest, seen };
}

Deno.test("all that fails while lanes are left alone is one failure, and over after a second", () => {
  const { clock, rest: store, seen } = rest();
  for (let lanes = 0; lanes < 1_000; lanes++) store.begin(FAILED);
  clock.advance(999);
  assertEquals([store.rests, seen], [true, { over: 0, lines: 1 }]);
  clock.advance(1);
  assertEquals([store.rests, clock.pending, seen], [false, 0, { over: 1, lines: 1 }]);
});

Deno.test("lanes are taken up as soon as the store works", () => {
  const { rest: store, seen } = rest();
  store.begin(FAILED);
  store.end();
  assertEquals([store.rests, seen.over], [false, 1]);
  store.end();
  assertEquals(seen.over, 1, "nothing was left alone");
});

Deno.test("a rest that was cut short does not end the next one", () => {
  const { clock, rest: store } = rest();
  store.begin(FAILED);
  clock.advance(500);
  store.end();
  clock.advance(400);
  store.begin(FAILED);
  clock.advance(999);
  assertEquals(store.rests, true);
  clock.advance(1);
  assertEquals(store.rests, false);
});

Deno.test("a store that is away is logged at once, and then once a minute", () => {
  const { clock, rest: store, seen } = rest();
  for (let second = 0; second < 600; second++) {
    store.begin(FAILED);
    clock.advance(1_000);
  }
  assertEquals(seen, { over: 600, lines: 10 });
});

const HANGING = "https://hanging.example/";
const WAITING = "https://waiting.example/";

Deno.test("a lane that alone cannot be read is looked at once a second, whatever else is accepted", async () => {
  const world = await openRuled({
    destination: ({ uri }) =>
      uri === WAITING ? { kind: "failed", code: "connection_lost" } : answered(),
  });
  await using service = world.service;
  const { ledger, log } = service;
  const { id } = await service.submit("{}", { uri: WAITING });
  await world.pass(0);
  const { lane } = defined(await ledger.find(id, () => true));
  const head = ledger.head.bind(ledger);
  let looks = 0;
  ledger.head = (other) => {
    if (other !== lane) return head(other);
    looks++;
    return Promise.reject(new Error("Cannot read it: it is damaged"));
  };
  await world.pass(5_000);
  for (let n = 0; n < 100; n++) {
    await service.submit();
    await world.pass(100);
  }
  const lines = log.filter(({ event }) => event === "store.failed").length;
  assert(looks >= 10 && looks <= 12, `${looks} looks in 10 s`);
  assert(lines <= 12, `${lines} lines`);
  assertEquals(log.filter(({ next }) => next === "finished").length, 100);
});

/** What shows that the store works again. */
const WORKS: Readonly<Record<string, (world: World) => Promise<unknown>>> = {
  "is claimed as it is accepted": ({ service }) => service.submit(),
  "is accepted behind another": ({ service }) => service.submit("{}", { uri: HANGING }),
  "is tried again": ({ pass }) => pass(5_000),
};

type World = Awaited<ReturnType<typeof openRuled>>;

for (const [what, work] of Object.entries(WORKS)) {
  Deno.test(`an outage that begins after an export ${what} is logged when it begins`, async () => {
    const world = await openRuled({
      destination: (request) =>
        request.uri === HANGING ? hang(request) : { kind: "failed", code: "connection_lost" },
    });
    const { service, trouble, pass } = world;
    for (const uri of [HANGING, WAITING]) await service.submit("{}", { uri });
    await pass(0);
    const lanes = await Array.fromAsync(service.ledger.lanes());
    const lines = () => service.log.filter(({ event }) => event === "store.failed").length;
    const outage = async () => {
      trouble.rule = () => "fails";
      service.worker.wake(lanes);
      await pass(0);
      trouble.rule = () => undefined;
    };
    await outage();
    await pass(1_000);
    assertEquals(lines(), 1);
    await work(world);
    await outage();
    assertEquals(lines(), 2);
    await killRuled(world);
    service.kv.close();
  });
}
