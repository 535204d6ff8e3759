/** An export whose every attempt ends the process: it is not in the way of the others, and comes to an end. */
import { assert, assertEquals } from "@std/assert";
import type { LogEvent } from "../../src/log.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { hang, killRuled, openRuled } from "../fakes/ruled.ts";
import { answered, DESTINATION, type Destination } from "../fakes/test_service.ts";

const DEADLY = "https://deadly.example/";

/** A service on a store that outlives it; attempts to one destination last until it is killed. */
async function boots(clock = new FakeClock(), answer: Destination = () => answered()) {
  const kv = await Deno.openKv(":memory:");
  const sent: { readonly uri: string; readonly at: number }[] = [];
  const boot = async () => {
    const world = await openRuled({
      kv,
      clock,
      destination: async (request) => {
        const { uri } = request;
        sent.push({ uri, at: clock.now() });
        return uri === DEADLY ? await hang(request) : await answer(request);
      },
    });
    await world.service.worker.wakeAll();
    return world;
  };
  return { clock, kv, sent, boot };
}

Deno.test("an attempt that ends the process is made again at once three times, then after longer and longer rests", async () => {
  const { clock, kv, sent, boot } = await boots();
  using _ = kv;
  const born = clock.now();
  const first = await boot();
  await first.service.submit("{}", { uri: DEADLY });
  await killRuled(first);
  for (let n = 0; n < 200; n++) {
    const world = await boot();
    await world.pass(1_000);
    await killRuled(world);
  }
  const seconds = sent.map(({ at }) => Math.floor((at - born) / 1_000));
  assertEquals(seconds.slice(0, 4), [0, 0, 1, 2]);
  const rests = seconds.slice(4).map((at, n) => at - (seconds[n + 3] ?? 0));
  assertEquals(rests.length, 3);
  for (const [n, usual] of [5, 30, 120].entries()) {
    const rest = rests[n] ?? 0;
    assert(rest >= 0.8 * usual - 1 && rest <= 1.2 * usual + 1, `${rest} s instead of ${usual}`);
  }
});

Deno.test("while one export ends every process, others are delivered at every start", async () => {
  const { kv, sent, boot } = await boots();
  using _ = kv;
  const first = await boot();
  await first.service.submit("{}", { uri: DEADLY });
  await killRuled(first);
  for (let n = 0; n < 5; n++) {
    const world = await boot();
    await world.service.submit();
    await world.pass(100);
    await killRuled(world);
  }
  assertEquals(sent.filter(({ uri }) => uri === DESTINATION).length, 5);
});

Deno.test("an export that was cut off together with it, and takes longer to be answered, gets through", async () => {
  const clock = new FakeClock();
  const { kv, sent, boot } = await boots(clock, async (request) => {
    await Promise.race([hang(request), new Promise<void>((done) => clock.after(5_000, done))]);
    return request.signal.aborted ? { kind: "failed", code: "stopped" } : answered();
  });
  using _ = kv;
  const first = await boot();
  await first.service.submit("{}", { uri: DEADLY });
  const { id } = await first.service.submit();
  await killRuled(first);
  let state = "Processing";
  for (let kills = 0; kills < 20 && state !== "Finished"; kills++) {
    const before = sent.length;
    const world = await boot();
    const deadlyFrom = () => sent.slice(before).find(({ uri }) => uri === DEADLY)?.at ?? Infinity;
    // The deadly one takes a second to end the process.
    while (deadlyFrom() + 1_000 > clock.now() && state !== "Finished") {
      await world.pass(500);
      state = (await world.service.poll(id)).state;
    }
    await killRuled(world);
  }
  assertEquals(state, "Finished");
});

Deno.test("what ends every process is finished at its give-up age, and the one behind it has its turn", async () => {
  const { clock, kv, sent, boot } = await boots();
  using _ = kv;
  const first = await boot();
  const token = first.service.token({ path: "/export", destination: DEADLY });
  const { id } = await first.service.submit("[1]", { uri: DEADLY });
  const behind = await first.service.submit("[2]", { uri: DEADLY });
  await killRuled(first);
  const lapses: LogEvent[] = [];
  for (let hour = 0; hour <= 25; hour++) {
    const world = await boot();
    await world.pass(1_800_000);
    lapses.push(...world.service.log.filter(({ event }) => event === "delivery.lapsed"));
    await killRuled(world);
    clock.advance(1_800_000);
  }
  const last = await boot();
  const { state, ext_response } = await last.service.poll(id, { uri: DEADLY, token });
  const { code, attempts } = { code: "", attempts: 0, ...ext_response.error };
  assertEquals([state, ext_response.status, code], ["Finished", "502 Bad Gateway", "interrupted"]);
  // The one behind has its turn, and rests as long.
  assertEquals((await last.service.poll(behind.id, { uri: DEADLY, token })).state, "Processing");
  const entries = (await last.service.entries()).filter((entry) => entry.id === id);
  assertEquals(entries.filter(({ kind }) => kind === "attempt.started").length, attempts);
  const told = lapses.filter((line) => line.id === id).map((line) => line.next);
  assertEquals(told, [...Array(attempts - 1).fill("delivering"), "finished"]);
  assertEquals(entries.at(-1)?.next, "finished");
  await killRuled(last);
  assertEquals(sent.filter(({ uri }) => uri === DEADLY).length > attempts, true);
});

Deno.test("of those behind it each has as many attempts, and between two of them is a rest", async () => {
  const { clock, kv, sent, boot } = await boots();
  using _ = kv;
  const first = await boot();
  const token = first.service.token({ path: "/export", destination: DEADLY });
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push((await first.service.submit("[]", { uri: DEADLY })).id);
  await killRuled(first);
  // All are past their give-up age when the boots begin.
  clock.advance(30 * 3_600_000);
  const attempts = async () => {
    const world = await boot();
    const all = ids.map((id) => world.service.poll(id, { uri: DEADLY, token }));
    const errors = (await Promise.all(all)).map(({ ext_response }) => ext_response.error);
    await world.pass(60_000);
    await killRuled(world);
    return errors.map((error) => error?.code === "interrupted" ? error.attempts : undefined);
  };
  let told: (number | undefined)[] = [undefined];
  for (let boots = 0; boots < 1_000 && !told.every((each) => each !== undefined); boots++) {
    told = await attempts();
  }
  assertEquals(told.slice(1), [5, 5]);
  const times = sent.filter(({ uri }) => uri === DEADLY).map(({ at }) => at);
  const rests = times.map((at, n) => at - (times[n - 1] ?? at));
  // Each of those behind begins where the one before it was given up, at the end of a rest.
  const behind = rests.slice((told[0] ?? 0) + 1);
  assertEquals([behind.length, behind.filter((ms) => ms < 90_000)], [9, []]);
});

/** A store with two exports in a lane, of which the next boot will give up the first. */
async function onTheBrink() {
  const world = await boots();
  const { clock, boot } = world;
  const first = await boot();
  const token = first.service.token({ path: "/export", destination: DEADLY });
  const { id } = await first.service.submit("[1]", { uri: DEADLY });
  await first.service.submit("[2]", { uri: DEADLY });
  await killRuled(first);
  for (let n = 0; n < 4; n++) {
    const next = await boot();
    await next.pass(3_600_000);
    await killRuled(next);
  }
  clock.advance(86_400_000);
  return { ...world, id, token };
}

Deno.test("a give-up is told only where it held", async () => {
  const { clock, kv, id } = await onTheBrink();
  using _ = kv;
  for (const isOvertaken of [true, false]) {
    const world = await openRuled({ kv, clock, destination: hang });
    const { ledger, log, worker } = world.service;
    if (isOvertaken) ledger.settle = () => Promise.resolve(undefined);
    await worker.wakeAll();
    await world.pass(100);
    const told = log.filter((line) => line.event === "delivery.lapsed" && line.id === id);
    assertEquals(told.map(({ next }) => next), isOvertaken ? [] : ["finished"]);
    await killRuled(world);
  }
});

Deno.test("what lapsed is told only where it did", async () => {
  const { kv, boot } = await boots();
  using _ = kv;
  const world = await boot();
  await world.service.submit();
  await world.service.submit("{}", { uri: DEADLY });
  await world.pass(100);
  const lapses = (log: readonly LogEvent[]) =>
    log.filter(({ event }) => event === "delivery.lapsed");
  assertEquals(lapses(world.service.log), []);
  await killRuled(world);
  const next = await boot();
  await next.pass(100);
  assertEquals(lapses(next.service.log).map(({ attempt, next }) => [attempt, next]), [[
    1,
    "delivering",
  ]]);
  await killRuled(next);
});

Deno.test("a worker that stops while it reads what is behind gives nothing up, and claims nothing", async () => {
  const { clock, kv, sent, boot, id, token } = await onTheBrink();
  using _ = kv;
  const before = sent.length;
  const world = await openRuled({ kv, clock, destination: hang });
  const { ledger, worker } = world.service;
  const behind = ledger.behind.bind(ledger);
  const [reading, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  ledger.behind = async (held) => {
    reading.resolve();
    await gate.promise;
    return await behind(held);
  };
  await worker.wakeAll();
  await reading.promise;
  const stopped = worker.stop(8_000);
  gate.resolve();
  await stopped;
  assertEquals((await world.service.poll(id, { uri: DEADLY, token })).state, "Processing");
  assertEquals(sent.length, before);
  assertEquals(world.service.sent.length, 0);
  await killRuled(world);
  const last = await boot();
  await last.pass(100);
  const { ext_response } = await last.service.poll(id, { uri: DEADLY, token });
  assertEquals(ext_response.error?.code, "interrupted");
  await killRuled(last);
});
