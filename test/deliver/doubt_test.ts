/** A hand that was overtaken, or that the store has told less than it did: the lane is looked at again. */
import { assertEquals } from "@std/assert";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { keys } from "../../src/ledger/keys.ts";
import type { Held } from "../../src/ledger/ledger.ts";
import { encodeLease } from "../../src/ledger/stored.ts";
import { denying } from "../fakes/denying_kv.ts";
import { defined } from "../fakes/expect.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { hang, killRuled, openRuled } from "../fakes/ruled.ts";
import { answered, DESTINATION, openTestService } from "../fakes/test_service.ts";
import { until } from "../http/socket_client.ts";

const REFUSED: SendResult = { kind: "failed", code: "connection_refused" };

/** A store in which `count` exports stand in one lane, and the service that accepted them was killed. */
async function leftBehind(count: number) {
  const [clock, kv] = [new FakeClock(), await Deno.openKv(":memory:")];
  const killed = await openRuled({ kv, clock, destination: hang });
  for (let n = 1; n <= count; n++) await killed.service.submit(`[${n}]`);
  await killRuled(killed);
  return { clock, kv };
}

Deno.test("who loses the race for a claim looks at the lane a second later", async () => {
  await using service = await openTestService({
    destination: () => service.sent.length === 1 ? REFUSED : answered(),
  });
  const { clock, ledger, worker, sent } = service;
  await service.submit();
  await worker.idle();
  const { claim } = ledger;
  ledger.claim = () => Promise.resolve(undefined);
  clock.advance(5_000);
  await worker.idle();
  ledger.claim = claim;
  assertEquals(sent.length, 1);
  clock.advance(1_000);
  await worker.idle();
  assertEquals(sent.length, 2);
});

Deno.test("an outcome whose lane was taken over meanwhile is logged as superseded, and not kept", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  const { clock, kv, log, worker } = service;
  const { id } = await service.submit();
  const { lane } = defined(await service.ledger.find(id, () => true));
  const claimant = { instance: "another", boot: "first" };
  const now = clock.now();
  await kv.set(keys.lease(lane), encodeLease({ id, claimant, since: now, until: now + 45_000 }));
  arrival.resolve(answered());
  await worker.idle();
  const ends = log.filter(({ event }) => event === "delivery.attempted").map(({ next }) => next);
  assertEquals([ends, (await service.poll(id)).state], [["superseded"], "Processing"]);
});

Deno.test("a defect holds its lane up for a second, and is logged with its place", async () => {
  await using service = await openTestService({
    destination: () => service.sent.length === 1 ? REFUSED : answered(),
  });
  const { clock, ledger, log, worker, sent } = service;
  await service.submit();
  await worker.idle();
  const { head } = ledger;
  ledger.head = () => Promise.resolve({} as Held);
  clock.advance(5_000);
  await worker.idle();
  ledger.head = head;
  const lines = log.filter(({ event }) => event === "lane.failed");
  assertEquals([sent.length, lines.every(({ frames }) => Array.isArray(frames))], [1, true]);
  assertEquals(lines.length > 0, true);
  clock.advance(1_000);
  await worker.idle();
  assertEquals(sent.length, 2);
});

Deno.test("what was claimed by a commit that said it failed is taken up at the end of its lease, without being woken", async () => {
  using real = await Deno.openKv(":memory:");
  const { kv, denyNext, isOver } = denying(real);
  await using service = await openTestService({ kv });
  const { clock, worker, sent } = service;
  denyNext();
  const response = await service.ask("/lp/export", { id: "", uri: DESTINATION, data: "{}" });
  await response.body?.cancel();
  await worker.idle();
  assertEquals([response.status, isOver(), sent.length], [503, true, 0]);
  clock.advance(45_000);
  await worker.idle();
  assertEquals(sent.length, 1);
});

Deno.test("what stands behind an export that was settled by a commit that said it failed waits for no lease", async () => {
  const { clock, kv: real } = await leftBehind(2);
  using _ = real;
  const { kv, denyNext, isOver } = denying(real);
  await using service = await openTestService({
    kv,
    clock,
    destination: () => {
      if (service.sent.length === 1) denyNext();
      return answered();
    },
  });
  const { ledger, worker, sent, log } = service;
  const { behind } = ledger;
  // Nobody is taken along, so that the lane must be looked at.
  ledger.behind = () => Promise.reject(new Error("The read fails"));
  await worker.wakeAll();
  await until(() => log.some(({ event }) => event === "store.failed"));
  ledger.behind = behind;
  clock.advance(1_000);
  await worker.idle();
  assertEquals([isOver(), sent.length], [true, 1]);
  clock.advance(1_000);
  await worker.idle();
  assertEquals(sent.map(({ body }) => new TextDecoder().decode(body)), ["[1]", "[2]"]);
});

Deno.test("where the lanes cannot be read at the start, they are read a second later", async () => {
  const { clock, kv } = await leftBehind(1);
  using _ = kv;
  await using service = await openTestService({ kv, clock });
  const { ledger, worker, sent } = service;
  const { lanes } = ledger;
  let reads = 0;
  ledger.lanes = () => {
    reads++;
    throw new Error("The read fails");
  };
  await worker.wakeAll();
  clock.advance(1_000);
  assertEquals([reads, sent.length], [2, 0]);
  ledger.lanes = lanes;
  clock.advance(1_000);
  await until(() => sent.length === 1);
});
