/** The story of an export, told through the app: submitted, delivered, its outcome learnt. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import type { SendResult } from "../src/deliver/attempt.ts";
import { verifyChain } from "./fakes/verify.ts";
import { readChains } from "../src/ledger/read_chains.ts";
import { FakeClock } from "./fakes/fake_clock.ts";
import { notingReads } from "./fakes/noting_kv.ts";
import { answered, DESTINATION, openTestService } from "./fakes/test_service.ts";

/** A destination that answers when the test says so. */
function slowDestination() {
  const arrivals: PromiseWithResolvers<SendResult>[] = [];
  let onArrival = () => {};
  return {
    receive: () => {
      const arrival = Promise.withResolvers<SendResult>();
      arrivals.push(arrival);
      onArrival();
      return arrival.promise;
    },
    /** Resolves when `count` requests have arrived. */
    arrived: (count: number) =>
      new Promise<void>((resolve) => {
        onArrival = () => arrivals.length >= count && resolve();
        onArrival();
      }),
    answer: (nth: number, result: SendResult = answered()) => arrivals[nth]?.resolve(result),
  };
}

Deno.test("an export is Pending, then Processing, then Finished with the destination's answer", async () => {
  const destination = slowDestination();
  await using service = await openTestService({ destination: destination.receive });
  const submitted = await service.ask("/lp/export", { id: "", uri: DESTINATION, data: "{}" });
  const text = await submitted.text();
  assertMatch(text, /^\{"id":"[0-9a-f-]{36}","state":"Pending","ext_response":\{\}\}$/);
  assertEquals(submitted.headers.get("content-type"), "application/json");
  const { id } = JSON.parse(text);

  await destination.arrived(1);
  assertEquals(await service.poll(id), { id, state: "Processing", ext_response: {} });

  destination.answer(0, answered("thank you", 201));
  await service.worker.idle();
  assertEquals(await service.poll(id), {
    id,
    state: "Finished",
    ext_response: { status: "201 Created", body: "thank you" },
  });
});

Deno.test("every poll of a finished export gets the same answer until its retention is over", async () => {
  await using service = await openTestService({ retentionMs: 60_000 });
  const { id } = await service.submit();
  await service.worker.idle();
  const first = await service.poll(id);
  service.clock.advance(59_999);
  assertEquals(await service.poll(id), first);
  service.clock.advance(1);
  const token = service.token({ path: "/export" });
  const late = await service.ask("/export", { id, uri: DESTINATION, data: "{}" }, { token });
  assertEquals(late.status, 404);
  await late.body?.cancel();
});

Deno.test("the bytes that leave are the bytes of data, as submitted", async () => {
  await using service = await openTestService();
  const data = ' {"n": 12345678901234567890, "u": "\\u00fc ü", "n": 1.0}\n';
  await service.submit(data);
  await service.worker.idle();
  assertEquals(service.sent.map(({ body }) => new TextDecoder().decode(body)), [data]);
});

Deno.test("exports of one lane arrive one at a time and in the order of their submission", async () => {
  let running = 0;
  let most = 0;
  await using service = await openTestService({
    destination: async () => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return answered();
    },
  });
  for (let n = 0; n < 20; n++) await service.submit(`[${n}]`);
  await service.worker.idle();
  const bodies = service.sent.map(({ body }) => new TextDecoder().decode(body));
  assertEquals(bodies, Array.from({ length: 20 }, (_, n) => `[${n}]`));
  assertEquals(most, 1);
});

Deno.test("order holds when the clock jumps back between two submissions", async () => {
  const destination = slowDestination();
  await using first = await openTestService({ destination: destination.receive });
  await first.submit("[0]");
  await first.submit("[1]");
  await destination.arrived(1);
  destination.answer(0);
  await first.worker.stop(0);
  // The service starts again on the same store, with a clock that is a day behind.
  const clock = new FakeClock(first.clock.now() - 86_400_000);
  await using second = await openTestService({ kv: first.kv, clock });
  await second.submit("[2]");
  await second.worker.wakeAll();
  for (let day = 0; day < 3; day++) {
    await second.worker.idle();
    clock.advance(86_400_000);
  }
  const bodies = second.sent.map(({ body }) => new TextDecoder().decode(body));
  assertEquals(bodies, ["[1]", "[2]"]);
});

Deno.test("a destination that never answers holds its own lane only", async () => {
  const destination = slowDestination();
  const good = "https://good.example/";
  await using service = await openTestService({
    destination: ({ uri }) => uri === good ? answered("good") : destination.receive(),
  });
  const stuck = await service.submit();
  const behind = await service.submit();
  await destination.arrived(1);
  const { id } = await service.submit("{}", { uri: good });
  const { state } = await waitFor(service, id, good);
  assertEquals(state, "Finished");
  assertEquals((await service.poll(stuck.id)).state, "Processing");
  assertEquals((await service.poll(behind.id)).state, "Pending");
  destination.answer(0);
  await destination.arrived(2);
  destination.answer(1);
});

async function waitFor(
  service: Awaited<ReturnType<typeof openTestService>>,
  id: string,
  uri = DESTINATION,
) {
  const token = service.token({ destination: uri });
  for (;;) {
    const body = { id, uri, data: "{}" };
    const receipt = await (await service.ask("/lp/export?timeout=60", body, { token })).json();
    if (receipt.state === "Finished") return receipt;
  }
}

Deno.test("an unreachable destination is tried again after 5 s, 30 s, 2 min …, and stays Processing", async () => {
  let failures = 3;
  await using service = await openTestService({
    destination: () => failures-- > 0 ? { kind: "failed", code: "connection_refused" } : answered(),
  });
  const { id } = await service.submit();
  await service.worker.idle();
  for (const [waitMs, attempts] of [[5_000, 2], [30_000, 3], [120_000, 4]] as const) {
    assertEquals((await service.poll(id)).state, "Processing");
    service.clock.advance(waitMs - 1);
    await service.worker.idle();
    assertEquals(service.sent.length, attempts - 1);
    service.clock.advance(1);
    await service.worker.idle();
    assertEquals(service.sent.length, attempts);
  }
  assertEquals((await service.poll(id)).state, "Finished");
  assertEquals(new Set(service.sent.map(({ headers }) => headers["idempotency-key"])).size, 1);
});

Deno.test("an export that is given up is Finished with an error, and the next one of its lane goes on", async () => {
  await using service = await openTestService({
    giveUpAfterMs: 60_000,
    destination: () => ({ kind: "failed", code: "timed_out" }),
  });
  const first = await service.submit("[1]");
  const second = await service.submit("[2]");
  await service.worker.idle();
  service.clock.advance(5_000);
  await service.worker.idle();
  service.clock.advance(30_000);
  await service.worker.idle();
  assertEquals((await service.poll(first.id)).state, "Processing");
  service.clock.advance(25_000);
  await service.worker.idle();
  assertEquals(await service.poll(first.id), {
    id: first.id,
    state: "Finished",
    ext_response: {
      status: "504 Gateway Timeout",
      body: "",
      error: {
        code: "timed_out",
        detail: "The destination did not answer in time.",
        attempts: 4,
      },
    },
  });
  // The second one is as old, and is tried once all the same.
  assertEquals(new TextDecoder().decode(service.sent.at(-1)?.body), "[2]");
  assertEquals((await service.poll(second.id)).state, "Finished");
});

Deno.test("answers of up to 10 MiB come back whole, and payloads of up to 10 MiB arrive whole", async () => {
  const ten = 10 * 1_048_576;
  const answer = new Uint8Array(ten).fill(97);
  await using service = await openTestService({
    payloadBytesMax: ten,
    destination: () => ({
      kind: "answered",
      status: 200,
      body: answer,
      truncated: false,
      address: "192.0.2.1",
    }),
  });
  const data = JSON.stringify(["x".repeat(ten - 4)]);
  const { id } = await service.submit(data);
  await service.worker.idle();
  assert(new TextDecoder().decode(service.sent[0]?.body) === data);
  const receipt = await service.poll(id);
  assert("body" in receipt.ext_response && receipt.ext_response.body === "a".repeat(ten));
  // Nothing of the payload or its staging is left.
  assertEquals(await count(service.kv, ["payload"]), 0);
  assertEquals(await count(service.kv, ["staged"]), 0);
});

async function count(kv: Deno.Kv, prefix: Deno.KvKey): Promise<number> {
  return (await Array.fromAsync(kv.list({ prefix }))).length;
}

Deno.test("the ledger tells acceptance, attempts and outcome, in a chain that verifies", async () => {
  let failures = 1;
  await using service = await openTestService({
    destination: () => failures-- > 0 ? { kind: "failed", code: "dns_error" } : answered(),
  });
  const uri = "https://destination.example/in?token=secret#part";
  await service.submit('{"private": true}', { uri });
  await service.worker.idle();
  service.clock.advance(5_000);
  await service.worker.idle();
  const entries = await service.entries();
  assertEquals(entries.map(({ kind, outcome, next }) => [kind, outcome, next]), [
    ["export.accepted", undefined, undefined],
    ["attempt.started", undefined, undefined],
    ["attempt.ended", "dns_error", "retry"],
    ["attempt.started", undefined, undefined],
    ["attempt.ended", "answered", "finished"],
  ]);
  const text = JSON.stringify(entries);
  assert(!text.includes("secret") && !text.includes("private"));
  for await (const { instance, entries, end } of readChains(service.kv)) {
    assertEquals((await verifyChain(instance, entries, end)).kind, "intact");
  }
});

Deno.test("an export that comes to an idle lane costs two commits and no read, its polls included", async () => {
  using kv = await Deno.openKv(":memory:");
  const calls: string[] = [];
  await using service = await openTestService({
    kv: notingReads(kv, (call) => void calls.push(call)),
  });
  await service.submit("[1]");
  await service.worker.idle();
  calls.length = 0;
  const { id } = await service.submit("[2]");
  const polled = await service.ask("/lp/export", { id, uri: DESTINATION, data: "{}" });
  assertEquals((await polled.json()).state, "Finished");
  assertEquals((await service.poll(id)).state, "Finished");
  await service.worker.idle();
  assertEquals(calls, ["atomic", "atomic"]);
});

Deno.test("ids are fresh", async () => {
  await using service = await openTestService();
  assertNotEquals((await service.submit()).id, (await service.submit()).id);
});
