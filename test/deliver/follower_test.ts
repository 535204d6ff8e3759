/** What stands behind in a lane: taken along by the hand that is there, but not where that does harm. */
import { assertEquals } from "@std/assert";
import type { OutboundRequest, SendResult } from "../../src/deliver/attempt.ts";
import { answered, openTestService, type TestServiceOptions } from "../fakes/test_service.ts";

const HOUR_MS = 3_600_000;
const STEP_MS = 10_000;
const dataOf = (sent: readonly OutboundRequest[]) =>
  sent.map(({ body }) => new TextDecoder().decode(body));
const REFUSED: SendResult = { kind: "failed", code: "connection_refused" };

for (const hands of [8, 1]) {
  Deno.test(`a lane is delivered to its end by one hand of ${hands}, in order, though it is woken again`, async () => {
    const arrivals = Array.from({ length: 4 }, () => Promise.withResolvers<SendResult>());
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    await using service = await openTestService({
      parallel: hands,
      destination: () => {
        if (service.sent.length === 2) reach();
        return arrivals[service.sent.length - 1]?.promise ?? answered();
      },
    });
    for (const data of ["[1]", "[2]", "[3]"]) await service.submit(data);
    const { ledger } = service;
    const head = ledger.head.bind(ledger);
    const sentAtLooks: number[] = [];
    ledger.head = (lane) => (sentAtLooks.push(service.sent.length), head(lane));
    arrivals[0]?.resolve(answered());
    await reached;
    await service.submit("[4]");
    for (const { resolve } of arrivals) resolve(answered());
    await service.worker.idle();
    assertEquals(dataOf(service.sent), ["[1]", "[2]", "[3]", "[4]"]);
    assertEquals(
      sentAtLooks.includes(2),
      false,
      "the third one was known when the second was sent",
    );
    const kinds = (await service.entries()).map(({ kind }) => kind);
    assertEquals(kinds.filter((kind) => kind === "attempt.ended").length, 4);
  });
}

Deno.test("what stands behind an export that is tried again waits until that has an end", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({
    destination: () => [arrival.promise, REFUSED][service.sent.length - 1] ?? answered(),
  });
  const { clock, worker, sent } = service;
  for (const data of ["[1]", "[2]"]) await service.submit(data);
  arrival.resolve(REFUSED);
  await worker.idle();
  assertEquals(dataOf(sent), ["[1]"]);
  clock.advance(5_000);
  await worker.idle();
  assertEquals(dataOf(sent), ["[1]", "[1]"]);
  clock.advance(30_000);
  await worker.idle();
  assertEquals(dataOf(sent), ["[1]", "[1]", "[1]", "[2]"]);
});

const BUSY: readonly (readonly [what: string, TestServiceOptions, other: string])[] = [
  ["the only hand", { parallel: 1 }, "https://other.example/"],
  ["the only place at its host", { parallelPerHost: 1 }, "https://destination.example/other"],
];

for (const [what, options, uri] of BUSY) {
  Deno.test(`a lane that has ${what} does not keep it to its end while another one waits for it`, async () => {
    const [first, second] = [1, 2].map(() => Promise.withResolvers<SendResult>());
    const { promise: reached, resolve: reach } = Promise.withResolvers<void>();
    await using service = await openTestService({
      ...options,
      destination: () => {
        if (service.sent.length === 2) reach();
        return [first, second][service.sent.length - 1]?.promise ?? answered();
      },
    });
    for (const data of ["[1]", "[2]", "[3]"]) await service.submit(data);
    first?.resolve(answered());
    await reached;
    await service.submit(`["other"]`, { uri });
    second?.resolve(answered());
    await service.worker.idle();
    assertEquals(dataOf(service.sent), ["[1]", "[2]", `["other"]`, "[3]"]);
  });
}

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
