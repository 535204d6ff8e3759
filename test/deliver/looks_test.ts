/** Which lanes are looked at, and that those keep no hand from what is submitted meanwhile. */
import { assertEquals } from "@std/assert";
import { FakeClock } from "../fakes/fake_clock.ts";
import { hang, killRuled, openRuled } from "../fakes/ruled.ts";
import { answered, openTestService, type TestServiceOptions } from "../fakes/test_service.ts";
import { until } from "../http/socket_client.ts";

const LANES = 40;

Deno.test("what is submitted while many lanes are looked at is delivered at once", async () => {
  await using service = await openTestService({
    parallel: 32,
    destination: ({ uri }) =>
      uri.includes("up") ? answered() : { kind: "failed", code: "connection_refused" },
  });
  for (let n = 0; n < LANES; n++) {
    await service.submit("{}", { uri: `https://down${n}.example/` });
    await service.worker.idle();
  }
  const lanes = await Array.fromAsync(service.ledger.lanes());
  const { promise, resolve: answer } = Promise.withResolvers<void>();
  const looked: string[] = [];
  const head = service.ledger.head.bind(service.ledger);
  service.ledger.head = async (lane) => {
    looked.push(lane);
    await promise;
    return await head(lane);
  };
  service.worker.wake(lanes);
  assertEquals(looked.length, 16);
  const uri = "https://up.example/";
  const { id } = await service.submit("{}", { uri });
  const token = service.token({ destination: uri });
  const response = await service.ask("/lp/export", { id, uri, data: "{}" }, { token });
  assertEquals((await response.json()).state, "Finished");
  assertEquals(looked.length, 16, "the store is slow, and the export has not waited for it");
  answer();
  await service.worker.idle();
  assertEquals(looked.toSorted(), lanes.toSorted());
});

const BOUNDS: readonly (readonly [what: string, TestServiceOptions, looked: number])[] = [
  ["than there are hands", { parallel: 2 }, 2],
  ["to a host than it has places", { parallelPerHost: 2 }, 5],
];

for (const [what, bounds, looked] of BOUNDS) {
  Deno.test(`of what a start finds no more is sent at once ${what}, and what waits is not looked at again`, async () => {
    const [clock, kv] = [new FakeClock(), await Deno.openKv(":memory:")];
    const killed = await openRuled({ kv, clock, destination: hang });
    for (let n = 0; n < 5; n++) {
      await killed.service.submit("{}", { uri: `https://destination.example/${n}` });
    }
    await killRuled(killed);
    const { promise: answers, resolve: answer } = Promise.withResolvers<void>();
    let [looks, running, most] = [0, 0, 0];
    {
      await using service = await openTestService({
        ...bounds,
        kv,
        clock,
        destination: async () => {
          most = Math.max(most, ++running);
          await answers;
          running--;
          return answered();
        },
      });
      const { ledger, worker, sent } = service;
      const head = ledger.head.bind(ledger);
      ledger.head = (lane) => (looks++, head(lane));
      await worker.wakeAll();
      await until(() => looks >= looked && sent.length >= 2);
      await worker.wakeAll();
      await new Promise((resolve) => setTimeout(resolve));
      const lookedAtFirst = looks;
      answer();
      await worker.idle();
      assertEquals([sent.length, most, lookedAtFirst], [5, 2, looked]);
    }
    kv.close();
  });
}
