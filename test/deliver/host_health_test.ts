/** Hosts that cannot be reached: when that is said of one, who may try it, and how it ends. */
import { assertEquals } from "@std/assert";
import { HostHealth, reached } from "../../src/deliver/host_health.ts";
import { ATTEMPT_FAILURES } from "../fakes/failures.ts";
import type { Outcome } from "../../src/exports/record.ts";
import { answered, openTestService } from "../fakes/test_service.ts";

const PROBE_MS = 45_000;
const NOW = Date.UTC(2030, 0, 1);
const REFUSED: Outcome = { kind: "failed", code: "connection_refused", ms: 1 };
const ANSWERED: Outcome = {
  kind: "answered",
  status: 500,
  truncated: false,
  answerBytes: 0,
  address: "192.0.2.1",
  ms: 1,
};

/** A host that has just failed for the fifth time in a row. */
function unreachable(): HostHealth {
  const health = new HostHealth(PROBE_MS);
  for (let n = 1; n < 5; n++) {
    assertEquals(health.learn("host", "lane", REFUSED, NOW).change, undefined);
  }
  assertEquals(health.learn("host", "lane", REFUSED, NOW).change, "unreachable");
  return health;
}

for (const code of ATTEMPT_FAILURES) {
  const silent = ["dns_error", "connection_refused", "unreachable", "timed_out"].includes(code);
  const untried = ["destination_refused", "data_damaged"].includes(code);
  const expected = untried ? undefined : !silent;
  Deno.test(`${code} says of its host: ${expected === undefined ? "nothing" : expected}`, () => {
    assertEquals(reached({ kind: "failed", code, ms: 1 }), expected);
  });
}

Deno.test("a host is unreachable after five failures in a row, and no answer between", () => {
  const health = new HostHealth(PROBE_MS);
  for (let n = 0; n < 20; n++) {
    const outcome = n % 5 === 4 ? ANSWERED : REFUSED;
    assertEquals(health.learn("host", "lane", outcome, NOW), { change: undefined, lanes: [] });
  }
  assertEquals(health.unreachable, 0);
  assertEquals(unreachable().unreachable, 1);
});

Deno.test("an unreachable host is tried by one lane after 30 s, while the others are held back", () => {
  const health = unreachable();
  assertEquals(health.admit("host", "a", NOW), 30_000);
  assertEquals(health.admit("other", "a", NOW), 0);
  assertEquals(health.admit("host", "a", NOW + 30_000), 0);
  assertEquals(health.admit("host", "b", NOW + 30_000), PROBE_MS);
  assertEquals(health.learn("host", "lane", REFUSED, NOW + 31_000), {
    change: undefined,
    lanes: [],
  });
  assertEquals(health.admit("host", "b", NOW + 31_000), 30_000);
});

Deno.test("a probe that never comes back is followed by another", () => {
  const health = unreachable();
  assertEquals(health.admit("host", "a", NOW + 30_000), 0);
  assertEquals(health.admit("host", "b", NOW + 30_000 + PROBE_MS), 0);
});

Deno.test("the first sign of life lets everybody through who was held back", () => {
  const health = unreachable();
  for (const lane of ["a", "b"]) health.admit("host", lane, NOW);
  const lesson = health.learn("host", "lane", ANSWERED, NOW);
  assertEquals(lesson, { change: "reachable", lanes: ["a", "b"] });
  assertEquals(health.unreachable, 0);
  assertEquals(health.admit("host", "c", NOW), 0);
});

Deno.test("a clock that is put back does not hold anybody back for longer", () => {
  assertEquals(unreachable().admit("host", "a", NOW - 3_600_000), 0);
});

Deno.test("of failing hosts only a thousand are remembered", () => {
  const health = new HostHealth(PROBE_MS);
  for (let round = 0; round < 5; round++) health.learn("first", "lane", REFUSED, NOW);
  for (let n = 0; n < 1_000; n++) health.learn(`host ${n}`, "lane", REFUSED, NOW);
  assertEquals(health.unreachable, 0);
});

Deno.test("the one that failed longest ago is forgotten first, and holds nobody back any more", () => {
  const health = new HostHealth(PROBE_MS);
  const fail = (host: string) => {
    for (let n = 0; n < 5; n++) health.learn(host, "lane", REFUSED, NOW);
  };
  for (const host of ["first", "second"]) {
    fail(host);
    health.admit(host, `lane to ${host}`, NOW);
  }
  for (let n = 0; n < 998; n++) fail(`host ${n}`);
  fail("first");
  fail("one more");
  assertEquals(["first", "second"].map((host) => health.isUnreachable(host)), [true, false]);
  assertEquals([health.unreachable, health.heldBack], [1_000, 1]);
});

Deno.test("a host that is down is tried by one export at a time, seen in log and health, and none is lost", async () => {
  let down = true;
  await using service = await openTestService({
    destination: () => down ? { kind: "failed", code: "connection_refused" } : answered(),
  });
  const { clock, worker, sent } = service;
  const ids: string[] = [];
  for (let owner = 0; owner < 20; owner++) {
    const token = service.token({ identifier: `${owner}` });
    ids.push((await service.submit("{}", { token })).id);
    await worker.idle();
  }
  assertEquals(sent.length, 5, "the others were not tried");
  assertEquals(service.log.filter(({ event }) => event === "host.unreachable").length, 1);
  const health = await service.app.request("/health/ready");
  assertEquals([health.status, await health.json()], [200, {
    status: "ready",
    unreachable_hosts: 1,
  }]);
  for (let probes = 1; probes <= 4; probes++) {
    clock.advance(30_000);
    await worker.idle();
    assertEquals(sent.length, 5 + probes, "one probe every 30 s");
  }
  down = false;
  clock.advance(30_000);
  await worker.idle();
  clock.advance(120_000);
  await worker.idle();
  assertEquals(service.log.filter(({ event }) => event === "host.reachable").length, 1);
  const finished = service.log.filter(({ next }) => next === "finished");
  assertEquals(finished.map(({ id }) => id).toSorted(), ids.toSorted());
  assertEquals(await (await service.app.request("/health/ready")).json(), { status: "ready" });
});

Deno.test("at its give-up age an export has its last attempt, though its host is tried by probes only", async () => {
  await using service = await openTestService({
    giveUpAfterMs: 20_000,
    destination: () => ({ kind: "failed", code: "connection_refused" }),
  });
  const { clock, worker, sent, log } = service;
  for (let owner = 0; owner < 5; owner++) {
    await service.submit("{}", { token: service.token({ identifier: `${owner}` }) });
  }
  await worker.idle();
  clock.advance(5_000);
  await worker.idle();
  assertEquals([sent.length, worker.unreachableHosts], [5, 1], "all are held back for 30 s");
  clock.advance(25_000);
  await worker.idle();
  assertEquals(sent.length, 10);
  assertEquals(log.filter(({ next }) => next === "finished").length, 5);
});

Deno.test("503 is tried again where the operator says so, after the time that the destination asks for", async () => {
  const answers = [{ ...answered("busy", 503), retryAfter: "60" }, answered("done")];
  await using service = await openTestService({
    retryStatuses: [503],
    destination: () => answers.shift() ?? answered("again?"),
  });
  const { id } = await service.submit();
  await service.worker.idle();
  assertEquals((await service.poll(id)).state, "Processing");
  service.clock.advance(59_999);
  await service.worker.idle();
  assertEquals(service.sent.length, 1);
  service.clock.advance(1);
  await service.worker.idle();
  const { ext_response } = await service.poll(id);
  assertEquals(ext_response, { status: "200 OK", body: "done" });
});

Deno.test("what is final is final at once: a bad certificate and a refused destination", async () => {
  for (const code of ["certificate_invalid", "destination_refused"] as const) {
    await using service = await openTestService({ destination: () => ({ kind: "failed", code }) });
    const { id } = await service.submit();
    await service.worker.idle();
    assertEquals((await service.poll(id)).state, "Finished");
    service.clock.advance(86_400_000);
    await service.worker.idle();
    assertEquals(service.sent.length, 1);
  }
});

Deno.test("whoever was tried, or is given up, is not remembered as held back", () => {
  const health = unreachable();
  for (const lane of ["a", "b", "c"]) health.admit("host", lane, NOW);
  assertEquals(health.heldBack, 3);
  // At its give-up age an export is tried without being admitted.
  health.learn("host", "a", REFUSED, NOW + 1);
  assertEquals(health.heldBack, 2);
  assertEquals(health.learn("host", "b", ANSWERED, NOW + 2), {
    change: "reachable",
    lanes: ["c"],
  });
  assertEquals(health.heldBack, 0);
});

Deno.test("a host that was never tried in vain takes no room from one that was", () => {
  const health = new HostHealth(PROBE_MS);
  for (let n = 0; n < 5; n++) health.learn("down", "lane", REFUSED, NOW);
  for (let n = 0; n < 1_000; n++) health.admit(`well ${n}`, `${n}`, NOW);
  health.learn("other", "lane", REFUSED, NOW);
  assertEquals(health.unreachable, 1);
});

for (const code of ["destination_refused", "data_damaged"] as const) {
  Deno.test(`${code} makes no host unreachable`, () => {
    const health = new HostHealth(PROBE_MS);
    for (let n = 0; n < 5; n++) health.learn("a", "lane", { kind: "failed", code, ms: 0 }, NOW);
    assertEquals(health.unreachable, 0);
  });
}
