/** Lanes that are only looked at keep no hand from what is submitted meanwhile. */
import { assertEquals } from "@std/assert";
import { answered, openTestService } from "../fakes/test_service.ts";

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
