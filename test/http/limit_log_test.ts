/** Who met which limit, as the log tells it. */
import { assertEquals } from "@std/assert";
import { LimitLog } from "../../src/http/limit_log.ts";
import type { LogEvent } from "../../src/log.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

function open() {
  const clock = new FakeClock();
  const lines: LogEvent[] = [];
  return { clock, lines, limits: new LimitLog((line) => void lines.push(line), clock) };
}

Deno.test("an owner over a limit is told of once a minute, for each limit", () => {
  const { clock, lines, limits } = open();
  for (let n = 0; n < 100; n++) {
    limits.note("too_many_requests", "a");
    limits.note("storage_quota_exceeded", "a");
    limits.note("too_many_polls", "b");
  }
  const event = "request.limited";
  const told = [
    { event, code: "too_many_requests", owner: "a" },
    { event, code: "storage_quota_exceeded", owner: "a" },
    { event, code: "too_many_polls", owner: "b" },
  ];
  assertEquals(lines, told);
  clock.advance(60_000);
  limits.note("too_many_requests", "a");
  assertEquals(lines, [...told, { event, code: "too_many_requests", owner: "a" }]);
});

Deno.test("what is no limit is not told of", () => {
  const { lines, limits } = open();
  for (const code of ["unauthorised", "malformed_request", "internal", "not_ready"] as const) {
    limits.note(code, "a");
  }
  assertEquals(lines, []);
});

Deno.test("ever new owners do not flood the log", () => {
  const { lines, limits } = open();
  for (let n = 0; n < 1_000; n++) limits.note("too_many_requests", `owner ${n}`);
  assertEquals(lines.length, 60);
});
