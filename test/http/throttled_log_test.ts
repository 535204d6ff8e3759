/** What clients bring about without end, as the log tells it. */
import { assertEquals } from "@std/assert";
import { noteLimit, throttledLog } from "../../src/http/throttled_log.ts";
import type { LogEvent } from "../../src/log.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

function open() {
  const clock = new FakeClock();
  const lines: LogEvent[] = [];
  return { clock, lines, log: throttledLog((line) => void lines.push(line), clock) };
}

Deno.test("an owner over a limit is told of once a minute, for each limit", () => {
  const { clock, lines, log } = open();
  for (let n = 0; n < 100; n++) {
    noteLimit("too_many_requests", "a", log);
    noteLimit("storage_quota_exceeded", "a", log);
    noteLimit("too_many_polls", "b", log);
  }
  const event = "request.limited";
  const told = [
    { event, code: "too_many_requests", owner: "a" },
    { event, code: "storage_quota_exceeded", owner: "a" },
    { event, code: "too_many_polls", owner: "b" },
  ];
  assertEquals(lines, told);
  clock.advance(60_000);
  noteLimit("too_many_requests", "a", log);
  assertEquals(lines, [...told, { event, code: "too_many_requests", owner: "a" }]);
});

Deno.test("what is no limit is not told of as one", () => {
  const { lines, log } = open();
  for (const code of ["unauthorised", "malformed_request", "internal", "not_ready"] as const) {
    noteLimit(code, "a", log);
  }
  assertEquals(lines, []);
});

Deno.test("different events are different lines, whatever else they say", () => {
  const { lines, log } = open();
  log({ event: "store.failed", path: "/export" });
  log({ event: "store.failed", path: "/lp/export" });
  log({ event: "socket.refused", owner: "a", code: 1003 });
  log({ event: "socket.refused", owner: "a", code: 1009 });
  assertEquals(lines.map(({ event, path, code }) => path ?? code ?? event), [
    "/export",
    1003,
    1009,
  ]);
});

Deno.test("one event does not hide another, nor one error another", () => {
  const { lines, log } = open();
  for (let n = 0; n < 1_000; n++) noteLimit("too_many_requests", `owner ${n}`, log);
  const errors = ["The disk is full", "The disk is full", "The file was removed"];
  for (const message of errors) log({ event: "store.failed", error: new Error(message) });
  assertEquals(lines.slice(60).map(({ error }) => String(error)), [
    "Error: The disk is full",
    "Error: The file was removed",
  ]);
});

Deno.test("ever new owners do not flood the log", () => {
  const { lines, log } = open();
  for (let n = 0; n < 1_000; n++) noteLimit("too_many_requests", `owner ${n}`, log);
  assertEquals(lines.length, 60);
});
