import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { framesOf, jsonLog, type LogEvent } from "../src/log.ts";

const NEW_YEAR = Date.UTC(2030, 0, 1);

function lineOf(event: LogEvent): string {
  const lines: string[] = [];
  jsonLog((line) => lines.push(line), () => NEW_YEAR)(event);
  const [line = "", ...others] = lines;
  assertEquals(others, []);
  return line;
}

Deno.test("an event is one line of JSON: time, name, and what belongs to it", () => {
  assertEquals(
    lineOf({ event: "export.accepted", id: "x", bytes: 7, owner: undefined }),
    `{"at":"2030-01-01T00:00:00.000Z","event":"export.accepted","id":"x","bytes":7}`,
  );
});

Deno.test("each line has the time at which it is written", () => {
  const lines: string[] = [];
  let now = NEW_YEAR;
  const log = jsonLog((line) => lines.push(line), () => now++);
  log({ event: "a" });
  log({ event: "a" });
  assertEquals(lines, [
    `{"at":"2030-01-01T00:00:00.000Z","event":"a"}`,
    `{"at":"2030-01-01T00:00:00.001Z","event":"a"}`,
  ]);
});

Deno.test("an error is shown by its name and message, wherever it stands, without its stack", () => {
  const error = new TypeError("no such thing", { cause: new Error("hidden") });
  const line = lineOf({ event: "store.failed", error, nested: { errors: [error] } });
  assertEquals(JSON.parse(line), {
    at: "2030-01-01T00:00:00.000Z",
    event: "store.failed",
    error: "TypeError: no such thing",
    nested: { errors: ["TypeError: no such thing"] },
  });
});

Deno.test("a line that cannot be written is lost, and whoever logs goes on", () => {
  const log = jsonLog(() => {
    throw new Deno.errors.BrokenPipe("the reader has gone");
  }, () => NEW_YEAR);
  log({ event: "a" });
});

Deno.test("what JSON cannot hold is lost, and whoever logs goes on", () => {
  const lines: string[] = [];
  const log = jsonLog((line) => lines.push(line), () => NEW_YEAR);
  const error: Record<string, unknown> = {};
  error.itself = error;
  for (const thrown of [1n, error]) log({ event: "lane.failed", error: thrown });
  log({ event: "a" });
  assertEquals(lines.length, 1);
});

Deno.test("where a defect lies is told by its stack, without its message", () => {
  for (const message of ["", "a", "a\n    at secret (file:///secret:1:1)"]) {
    const frames = framesOf(new TypeError(message));
    assertMatch(frames[0] ?? "", /^at .*log_test\.ts:\d+:\d+/);
    assertEquals(frames.every((frame) => frame.startsWith("at ")), true);
  }
  assertEquals(framesOf("no error"), []);
});

Deno.test("no stack is read while no file can be opened, for the runtime would abort", () => {
  const error = new TypeError("a");
  Object.defineProperty(error, "stack", { get: () => assert(false, "it is read") });
  assertEquals(framesOf(error, () => false), []);
});

Deno.test("of a stack that does not begin with its message nothing is told, for it might be in there", () => {
  const error = new Error("another message");
  error.stack = "Error: secret\n    at file:///a.ts:1:1";
  assertEquals(framesOf(error), []);
});

Deno.test("no text breaks a line in two", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom("", "\n", "\r\n"),
      (text, end) => {
        const line = lineOf({ event: "a", text: text + end });
        assertEquals(/[\r\n]/.test(line), false);
        assertEquals(JSON.parse(line).text, text + end);
      },
    ),
    { numRuns: 100 },
  );
});
