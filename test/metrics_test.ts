/** What is counted of the log and of answers, and what is told of the moment. */
import { assertEquals, assertMatch } from "@std/assert";
import type { LogEvent } from "../src/log.ts";
import { Metrics } from "../src/metrics.ts";

/** The figures that are not nought, without those of histograms' buckets. */
async function figuresOf(metrics: Metrics): Promise<Record<string, number>> {
  const lines = (await metrics.text()).split("\n").filter((line) =>
    /^[^#]/.test(line) && !line.endsWith(" 0")
  );
  return Object.fromEntries(
    lines.filter((line) => !line.includes("_bucket{"))
      .map((line) => [line.replace(/^databox_export_| .*$/g, ""), Number(line.split(" ").at(-1))]),
  );
}

async function countedOf(...events: LogEvent[]): Promise<Record<string, number>> {
  const metrics = new Metrics();
  const passedOn: LogEvent[] = [];
  const log = metrics.countingLog((event) => passedOn.push(event));
  for (const event of events) log(event);
  assertEquals(passedOn, events);
  const { [`events_total{event="${events[0]?.event}"}`]: _, ...rest } = await figuresOf(metrics);
  return rest;
}

const attempted = { event: "delivery.attempted", id: "1", owner: "o", host: "h", attempt: 1 };

const LINES: readonly (readonly [string, LogEvent, Record<string, number>])[] = [
  ["an acceptance", { event: "export.accepted", bytes: 12 }, { accepted_bytes_total: 12 }],
  [
    "a refusal",
    { event: "export.refused", reason: "destination_wrong", owner: "o", host: "h" },
    { 'refusals_total{reason="destination_wrong"}': 1 },
  ],
  [
    "refusals that were only counted",
    { event: "refusals.omitted", count: 30 },
    { 'refusals_total{reason="omitted"}': 30 },
  ],
  [
    "an attempt that failed",
    { ...attempted, kind: "failed", code: "timed_out", ms: 30_000, ageMs: 31_000, next: "pending" },
    {
      'attempt_seconds_sum{outcome="timed_out"}': 30,
      'attempt_seconds_count{outcome="timed_out"}': 1,
    },
  ],
  [
    "an answer, which is the outcome",
    { ...attempted, kind: "answered", status: 404, ms: 250, ageMs: 4_000, next: "finished" },
    {
      'attempt_seconds_sum{outcome="4xx"}': 0.25,
      'attempt_seconds_count{outcome="4xx"}': 1,
      'duration_seconds_sum{outcome="4xx"}': 4,
      'duration_seconds_count{outcome="4xx"}': 1,
    },
  ],
  [
    "an end without an answer",
    { event: "delivery.lapsed", id: "1", attempt: 9, ageMs: 90_000, next: "finished" },
    {
      'duration_seconds_sum{outcome="interrupted"}': 90,
      'duration_seconds_count{outcome="interrupted"}': 1,
    },
  ],
  [
    "no end where another attempt follows",
    { event: "delivery.lapsed", id: "1", attempt: 1, ageMs: 10, next: "delivering" },
    {},
  ],
  ["anything else", { event: "store.failed", error: new Error("full") }, {}],
];

for (const [what, line, figures] of LINES) {
  Deno.test(`of the log is counted ${what}`, async () => {
    assertEquals(await countedOf(line), figures);
  });
}

Deno.test("what may be worth an alarm is there from the start, so that its first increase shows", async () => {
  const text = await new Metrics().text();
  const alarms = [
    ...["store.failed", "lane.failed", "request.failed", "listener.failed", "root_key.failed"],
    ...["host.unreachable", "request.limited", "sockets.dropped", "delivery.lapsed"],
    ...["polls.dropped", "bodies.dropped"],
  ];
  for (const event of alarms) {
    assertMatch(text, new RegExp(`^databox_export_events_total\\{event="${event}"\\} 0$`, "m"));
  }
});

Deno.test("every line is counted by its event, and passed on", async () => {
  const metrics = new Metrics();
  const log = metrics.countingLog(() => {});
  for (const event of ["store.failed", "host.unreachable", "store.failed"]) log({ event });
  assertEquals(await figuresOf(metrics), {
    'events_total{event="store.failed"}': 2,
    'events_total{event="host.unreachable"}': 1,
  });
});

Deno.test("a line that cannot be counted is passed on all the same", async () => {
  assertEquals(await countedOf({ event: "export.accepted", bytes: "many" }), {});
});

Deno.test("answers are counted by their status, and passed on", async () => {
  const metrics = new Metrics();
  const handler = metrics.countingResponses((request) => {
    return new Response(null, { status: request.url.endsWith("/yes") ? 204 : 429 });
  });
  const statuses = [];
  for (const path of ["yes", "no", "yes"]) {
    statuses.push((await handler(new Request(`http://box/${path}`))).status);
  }
  assertEquals(statuses, [204, 429, 204]);
  assertEquals(await figuresOf(metrics), {
    'responses_total{status="204"}': 2,
    'responses_total{status="429"}': 1,
  });
});

Deno.test("what is so at the moment is asked at each look", async () => {
  const metrics = new Metrics();
  let now = 1;
  metrics.register({
    open: () => ({ exports: now, bytes: now * 10 }),
    waitingPolls: () => now * 100,
    openSockets: () => now * 1_000,
    unreachableHosts: () => now * 10_000,
    freeSpaceBytes: () => Promise.resolve(now * 1_000_000),
    memoryBytes: () => now * 100_000,
  });
  const first = await figuresOf(metrics);
  assertEquals(first, {
    open_exports: 1,
    open_bytes: 10,
    waiting_polls: 100,
    open_sockets: 1_000,
    unreachable_hosts: 10_000,
    free_space_bytes: 1_000_000,
    process_resident_memory_bytes: 100_000,
  });
  now = 2;
  const doubled = Object.entries(first).map(([name, value]) => [name, 2 * value]);
  assertEquals(await figuresOf(metrics), Object.fromEntries(doubled));
});

Deno.test("a gauge that cannot be read hides no other", async () => {
  const metrics = new Metrics();
  const fails = () => {
    throw new Error("Cannot look");
  };
  metrics.register({
    open: () => ({ exports: 3, bytes: 0 }),
    waitingPolls: () => 1,
    openSockets: () => 2,
    unreachableHosts: fails,
    freeSpaceBytes: () => Promise.reject(new Error("Cannot look")),
    memoryBytes: () => 4,
  });
  const text = await metrics.text();
  for (const line of ["open_exports 3", "free_space_bytes Nan", "unreachable_hosts Nan"]) {
    assertMatch(text, new RegExp(`^databox_export_${line}$`, "m"));
  }
});

Deno.test("README tells every metric, and no other", async () => {
  const metrics = new Metrics();
  const none = () => 0;
  metrics.register({
    open: () => ({ exports: 0, bytes: 0 }),
    waitingPolls: none,
    openSockets: none,
    unreachableHosts: none,
    freeSpaceBytes: () => Promise.resolve(0),
    memoryBytes: none,
  });
  const all = [...(await metrics.text()).matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name);
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  assertMatch(readme, /^### Metrics$/m);
  const told = [...readme.matchAll(/`((?:databox_export|process)_\w+)/g)].map(([, name]) => name);
  assertEquals([...new Set(told)].toSorted(), all.toSorted());
});
