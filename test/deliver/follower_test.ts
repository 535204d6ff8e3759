/** What stands behind in a lane: taken along by the hand that is there, but not where that does harm. */
import { assertEquals } from "@std/assert";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { answered, openTestService } from "../fakes/test_service.ts";

const HOUR_MS = 3_600_000;
const STEP_MS = 10_000;
const REFUSED: SendResult = { kind: "failed", code: "connection_refused" };

Deno.test("a lane is delivered to its end by one hand, in order, without being woken", async () => {
  const arrivals = Array.from({ length: 3 }, () => Promise.withResolvers<SendResult>());
  await using service = await openTestService({
    destination: () => arrivals[service.sent.length - 1]?.promise ?? answered(),
  });
  for (const data of ["[1]", "[2]", "[3]"]) await service.submit(data);
  for (const { resolve } of arrivals) resolve(answered());
  await service.worker.idle();
  const sent = service.sent.map(({ body }) => new TextDecoder().decode(body));
  assertEquals(sent, ["[1]", "[2]", "[3]"]);
  const kinds = (await service.entries()).map(({ kind }) => kind);
  assertEquals(kinds.filter((kind) => kind === "attempt.ended").length, 3);
});

Deno.test("nobody follows an export that was given up to a host that cannot be reached", async () => {
  const tries: { data: string; at: number }[] = [];
  await using service = await openTestService({
    giveUpAfterMs: HOUR_MS,
    destination: ({ body }) => {
      tries.push({ data: new TextDecoder().decode(body), at: service.clock.elapsed });
      return REFUSED;
    },
  });
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= STEP_MS) {
      service.clock.advance(STEP_MS);
      await service.worker.idle();
    }
  };
  await service.submit("[1]");
  await pass(HOUR_MS / 2);
  await service.submit("[2]");
  await pass(HOUR_MS);
  assertEquals(service.worker.unreachableHosts, 1);
  const last = tries.findLast(({ data }) => data === "[1]")?.at ?? NaN;
  const next = tries.find(({ data }) => data === "[2]")?.at ?? NaN;
  assertEquals([last, next], [HOUR_MS, HOUR_MS + 30_000], "it waits for the next probe");
});
