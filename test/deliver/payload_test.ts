/** Payloads that are not in the store any more as they were accepted: they do not leave. */
import { assertEquals } from "@std/assert";
import { answered, openTestService, type TestService } from "../fakes/test_service.ts";

/** Turns the last `from` of each row that ends in the payload into `to`. */
async function alter({ kv }: TestService, from: string, to: string): Promise<void> {
  for (const prefix of [["export"], ["payload"]]) {
    for await (const { key, value } of kv.list<Uint8Array>({ prefix })) {
      const at = value.lastIndexOf(from.charCodeAt(0));
      if (at >= value.length - 4) await kv.set(key, value.with(at, to.charCodeAt(0)));
    }
  }
}

for (const bytes of [10, 3_000, 300_000]) {
  Deno.test(`a payload of ${bytes} bytes that was altered in the store does not leave, and the log says so`, async () => {
    let isUp = false;
    await using service = await openTestService({
      destination: ({ body }) =>
        isUp ? answered(`${body.length}`) : { kind: "failed", code: "connection_refused" },
    });
    const { id } = await service.submit(`["${"A".repeat(bytes)}"]`);
    await service.worker.idle();
    await alter(service, "A", "B");
    isUp = true;
    service.clock.advance(3_600_000);
    await service.worker.idle();
    assertEquals(service.sent.length, 1);
    const lines = service.log.filter(({ event }) => event === "store.failed");
    assertEquals(new Set(lines.map(({ id, error }) => `${id} ${error}`)).size, 1);
    assertEquals(lines[0]?.id, id);
    await alter(service, "B", "A");
    service.clock.advance(60_000);
    await service.until(id, "Finished");
    assertEquals((await service.poll(id)).ext_response, { status: "200 OK", body: `${bytes + 4}` });
  });
}
