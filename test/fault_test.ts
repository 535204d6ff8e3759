/**
 * The n-th call to the store, the network, a timer, the bell or the log goes wrong, for every n
 * until a run is over before it comes. Whatever happens: what was accepted is delivered, settled
 * once in the ledger, and nothing is stuck.
 */
import { assert, assertEquals } from "@std/assert";
import { assertEndsWell } from "./fakes/ends_well.ts";
import { FakeClock } from "./fakes/fake_clock.ts";
import { Fault, type FaultKind, pass } from "./fakes/fault.ts";
import { answered, DESTINATION, openTestService, type TestService } from "./fakes/test_service.ts";

const OTHER = "https://other.example/";
const LARGE = JSON.stringify(["x".repeat(300_000)]);
const MINUTE_MS = 60_000;

interface Export {
  readonly id: string;
  readonly uri: string;
  readonly data: string;
}

/** What an app does: submits with a key of its own, and tries again as long as it gets a 503. */
async function submit(
  { service, fault }: { readonly service: TestService; readonly fault: Fault },
  { key, uri, data }: { readonly key: string; readonly uri: string; readonly data: string },
) {
  const token = service.token({ destination: uri });
  for (let tries = 0; tries < 5; tries++) {
    const body = { id: "", uri, data };
    const headers = { "idempotency-key": key };
    const response = await service.ask("/lp/export", body, { token, headers });
    const text = await response.text();
    if (response.status === 200) return { id: String(JSON.parse(text).id), uri, data };
    // A timer that cannot be set is nobody's fault but the machine's, and a crash is no answer.
    if (response.status === 500 && (fault.hit === "timer" || fault.dead)) continue;
    assertEquals(response.status, 503, text);
    assertEquals(response.headers.get("retry-after"), "5");
  }
  return undefined;
}

/** Waits for the end of an export, with as many long polls as it takes; gives up on none. */
async function follow(service: TestService, { id, uri }: Export): Promise<void> {
  const token = service.token({ destination: uri });
  for (let polls = 0; polls < 10; polls++) {
    const body = { id, uri, data: "{}" };
    const response = await service.ask("/lp/export?timeout=20", body, { token });
    const { state } = await response.json();
    if (state === "Finished") return;
    // A timer that cannot be set is nobody's fault but the machine's.
    assert([200, 500, 503].includes(response.status), `a poll got ${response.status}`);
  }
}

/** Somebody without a right to it asks too. */
async function intrude(service: TestService): Promise<void> {
  const response = await service.ask("/export", { id: "", uri: OTHER, data: "{}" }, { token: "x" });
  assertEquals(response.status, 401);
  await response.body?.cancel();
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

/** Submits to two lanes, one payload large, with the n-th call going wrong; answers whether it came. */
async function runWithFault(kind: FaultKind, nth: number): Promise<boolean> {
  const kv = await Deno.openKv(":memory:");
  const clock = new FakeClock();
  const destination = onceDown();
  const fault = new Fault(kind, nth, clock);
  const accepted: Export[] = [];
  try {
    const service = await openTestService({ kv, clock, destination, trouble: fault });
    fault.arm();
    const use = async (key: string, uri: string, data: string) => {
      const one = await submit({ service, fault }, { key, uri, data });
      if (one === undefined) return;
      accepted.push(one);
      await follow(service, one);
    };
    const uses = [use("a", DESTINATION, "[1]"), intrude(service), use("b", OTHER, LARGE)];
    await pass(10 * MINUTE_MS, clock, fault);
    const swept = service.ledger.sweep().catch(() => {});
    if (fault.dead) {
      // The store is well again only for the next process.
      const calm = new Fault("fails", Infinity, clock);
      const { sent } = service;
      await using next = await openTestService({ kv, clock, destination, sent, trouble: calm });
      await next.worker.wakeAll();
      await pass(60 * MINUTE_MS, clock, calm);
      await assertEndsWell(next, accepted);
      return true;
    }
    fault.disarm();
    await pass(60 * MINUTE_MS, clock, fault);
    await Promise.all([swept, ...uses]);
    await assertEndsWell(service, accepted);
    await service[Symbol.asyncDispose]();
    return fault.happened;
  } finally {
    kv.close();
  }
}

for (const kind of ["fails", "lies", "stalls", "crashes"] as const) {
  Deno.test(`nothing is lost, stuck or settled twice when the n-th call ${kind}`, async () => {
    let nth = 1;
    const run = (nth: number) =>
      runWithFault(kind, nth).catch((cause) => {
        throw new Error(`Cannot bear that call ${nth} ${kind}`, { cause });
      });
    while (await run(nth)) nth++;
    // The main path of two exports makes at least this many calls, or the test tests nothing.
    assert(nth > 35, `only ${nth} calls`);
  });
}
