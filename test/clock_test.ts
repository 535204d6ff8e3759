/**
 * The wall clock is put forward and back by hours, as when a board without a battery finds a time
 * server. Deadlines go by elapsed time, tokens by the wall clock; nothing hangs, nothing bursts.
 */
import { assertEquals } from "@std/assert";
import type { SendResult } from "../src/deliver/attempt.ts";
import { createTestEgress, NEVER } from "./fakes/test_egress.ts";
import { listen, silent } from "./egress/destination.ts";
import { FakeClock } from "./fakes/fake_clock.ts";
import { answered, DESTINATION, openTestService } from "./fakes/test_service.ts";

const HOUR_MS = 3_600_000;
const JUMPS = [12 * HOUR_MS, HOUR_MS, -HOUR_MS, -12 * HOUR_MS];

function described(ms: number): string {
  return `${Math.abs(ms) / HOUR_MS} h ${ms < 0 ? "back" : "forward"}`;
}

for (const jump of JUMPS) {
  Deno.test(`while the clock jumps ${described(jump)}, a running attempt is neither doubled nor lost`, async () => {
    const arrival = Promise.withResolvers<SendResult>();
    await using service = await openTestService({ destination: () => arrival.promise });
    const { clock, worker, sent } = service;
    const { id } = await service.submit();
    const behind = await service.submit("[2]");
    while (sent.length === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    clock.jump(jump);
    // By the wall clock its lease may be over; whoever wakes the lane now finds it worked.
    worker.wake([...await Array.fromAsync(service.ledger.lanes())]);
    clock.advance(60_000);
    assertEquals(sent.length, 1);
    arrival.resolve(answered());
    await worker.idle();
    assertEquals((await service.poll(id)).state, "Finished");
    assertEquals((await service.poll(behind.id)).state, "Finished");
    assertEquals(sent.length, 2);
    const ages = service.log.flatMap(({ ageMs }) => ageMs === undefined ? [] : [Number(ageMs)]);
    assertEquals([ages.length, ages.filter((age) => age < 0)], [2, []]);
  });

  Deno.test(`what waits for its next attempt when the clock jumps ${described(jump)} is tried within minutes, once`, async () => {
    let down = true;
    await using service = await openTestService({
      destination: () => down ? { kind: "failed", code: "connection_lost" } : answered(),
    });
    const { clock, worker, sent } = service;
    const ids = [];
    for (let owner = 0; owner < 20; owner++) {
      const token = service.token({ identifier: `${owner}` });
      ids.push((await service.submit("{}", { token })).id);
    }
    await worker.idle();
    for (const waitMs of [5_000, 30_000]) {
      clock.advance(waitMs);
      await worker.idle();
    }
    assertEquals(sent.length, 60, "three attempts each");
    clock.jump(jump);
    down = false;
    for (let minute = 0; minute < 3; minute++) {
      clock.advance(60_000);
      await worker.idle();
    }
    // No attempt that the clock leapt over is made up for.
    assertEquals(sent.length, 80);
    const finished = service.log.filter(({ next }) => next === "finished");
    assertEquals(finished.map(({ id }) => id).toSorted(), ids.toSorted());
  });

  Deno.test(`a long poll waits as long as it says when the clock jumps ${described(jump)}`, async () => {
    const arrival = Promise.withResolvers<SendResult>();
    await using service = await openTestService({ destination: () => arrival.promise });
    const { clock } = service;
    const { id } = await service.submit();
    while (service.sent.length === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    let answer: unknown;
    const body = { id, uri: DESTINATION, data: "{}" };
    const poll = service.ask("/lp/export?timeout=30", body).then(async (response) => {
      answer = (await response.json()).state;
    });
    while (service.waiters.size === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    clock.jump(jump);
    clock.advance(29_999);
    assertEquals(answer, undefined);
    clock.advance(1);
    await poll;
    assertEquals(answer, "Processing");
    arrival.resolve(answered());
  });

  Deno.test(`an attempt has its time when the clock jumps ${described(jump)}`, async () => {
    const clock = new FakeClock();
    const heard = Promise.withResolvers<void>();
    await using destination = listen(async (conn) => {
      await conn.read(new Uint8Array(1));
      heard.resolve();
      await silent(conn);
    });
    const egress = createTestEgress({ clock });
    let code: unknown;
    const sending = egress.send({
      uri: `http://dest.localhost:${destination.port}/`,
      headers: {},
      body: new Uint8Array(),
      lane: "lane",
      signal: NEVER,
    }).then((result) => code = result.kind === "failed" && result.code);
    await heard.promise;
    clock.jump(jump);
    clock.advance(29_999);
    await new Promise<void>((resolve) => setImmediate(resolve));
    assertEquals(code, undefined);
    clock.advance(1);
    // What came in time may still be read.
    clock.advance(100);
    await sending;
    assertEquals(code, "timed_out");
  });
}

Deno.test("a token is judged by the wall clock, wherever that was put", async () => {
  await using service = await openTestService();
  const expiresAt = new Date(service.clock.now() + HOUR_MS).toISOString();
  const token = service.token({ caveats: [`time < ${expiresAt}`] });
  const status = async () => {
    const body = { id: "", uri: DESTINATION, data: "{}" };
    const response = await service.ask("/lp/export", body, { token });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await status(), 200);
  service.clock.jump(2 * HOUR_MS);
  assertEquals(await status(), 401);
  service.clock.jump(-2 * HOUR_MS);
  assertEquals(await status(), 200);
  await service.worker.idle();
});
