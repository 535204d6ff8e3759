/**
 * The n-th call to the store or the network goes wrong, for every n until a run is over before it comes. Whatever
 * happens: what was accepted is delivered, settled once in the ledger, and nothing is stuck.
 */
import { assert, assertEquals } from "@std/assert";
import { verifyChain } from "../src/ledger/chain.ts";
import { readChains } from "../src/ledger/read_chains.ts";
import { FakeClock } from "./fakes/fake_clock.ts";
import { Fault, type FaultKind } from "./fakes/faulty_kv.ts";
import { answered, DESTINATION, openTestService, type TestService } from "./fakes/test_service.ts";

const OTHER = "https://other.example/";
const LARGE = JSON.stringify(["x".repeat(300_000)]);

/** What an app does: submits with a key of its own, and tries again as long as it gets a 503. */
async function submitted(service: TestService, key: string, uri: string, data: string) {
  const token = service.token({ destination: uri });
  for (let tries = 0; tries < 5; tries++) {
    const body = { id: "", uri, data };
    const headers = { "idempotency-key": key };
    const response = await service.ask("/lp/export", body, { token, headers });
    const text = await response.text();
    if (response.status === 200) return { id: String(JSON.parse(text).id), uri, data };
    assertEquals(response.status, 503, text);
    assertEquals(response.headers.get("retry-after"), "5");
  }
  return undefined;
}

/** Lets everything happen that still can within `minutes`. */
async function pass(minutes: number, service: TestService): Promise<void> {
  for (let elapsed = 0; elapsed < minutes * 60; elapsed += 20) {
    // A worker that waits for its store is never idle; then only time helps.
    const real = Promise.withResolvers<void>();
    const timer = setTimeout(real.resolve, 20);
    await Promise.race([service.worker.idle(), real.promise]);
    clearTimeout(timer);
    service.clock.advance(20_000);
  }
  await service.worker.idle();
}

/** A destination that fails once, so that retries are part of the path. */
function onceDown() {
  let down = true;
  return () => {
    if (!down) return answered();
    down = false;
    return { kind: "failed", code: "connection_refused" } as const;
  };
}

async function endsWell(
  service: TestService,
  accepted: readonly { id: string; uri: string; data: string }[],
) {
  await pass(60, service);
  await service.ledger.sweep();
  const arrived = service.sent.map(({ headers, body }) =>
    `${headers["idempotency-key"]} ${new TextDecoder().decode(body)}`
  );
  const finished = (await service.entries()).filter(({ next }) => next === "finished");
  for (const { id, uri, data } of accepted) {
    assertEquals((await service.poll(id, { uri })).state, "Finished");
    assertEquals(finished.filter((entry) => entry.id === id).length, 1, "settled once");
    assert(arrived.includes(`${id} ${data}`), "arrived");
  }
  for await (const { instance, entries, end } of readChains(service.kv)) {
    assertEquals((await verifyChain(instance, entries, end)).kind, "intact");
  }
  // What was staged and never accepted is gone, and so is all that was needed only for delivery.
  for (const prefix of ["lane", "lease", "payload", "staged"]) {
    assertEquals(await Array.fromAsync(service.kv.list({ prefix: [prefix] })), [], prefix);
  }
}

/** Submits to two lanes, one payload large, with the n-th call going wrong; answers whether it came. */
async function runWithFault(kind: FaultKind, nth: number): Promise<boolean> {
  const kv = await Deno.openKv(":memory:");
  const clock = new FakeClock();
  const destination = onceDown();
  const fault = new Fault(kind, nth);
  try {
    await using service = await openTestService({ kv, clock, destination, wrap: fault });
    const accepted = [
      await submitted(service, "a", DESTINATION, "[1]"),
      await submitted(service, "b", OTHER, LARGE),
    ].filter((one) => one !== undefined);
    await pass(2, service);
    await service.ledger.sweep().catch(() => {});
    const { happened } = fault;
    fault.disarm();
    if (kind === "crashes") {
      // The store is well again only for the next process.
      await service[Symbol.asyncDispose]();
      await using next = await openTestService({ kv, clock, destination, sent: service.sent });
      await next.worker.wakeAll();
      await endsWell(next, accepted);
    } else {
      await endsWell(service, accepted);
    }
    return happened;
  } finally {
    kv.close();
  }
}

for (const kind of ["fails", "lies", "crashes"] as const) {
  Deno.test(`nothing is lost, stuck or settled twice when the n-th call ${kind}`, async () => {
    let nth = 1;
    const run = (nth: number) =>
      runWithFault(kind, nth).catch((cause) => {
        throw new Error(`Cannot bear that call ${nth} ${kind}`, { cause });
      });
    while (await run(nth)) nth++;
    // The main path of two exports makes at least this many calls, or the test tests nothing.
    assert(nth > 20, `only ${nth} calls`);
  });
}
