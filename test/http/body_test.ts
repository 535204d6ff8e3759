/** Bodies, of clients that hurry, dawdle, lie and vanish. */
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { type Clock, systemClock } from "../../src/clock.ts";
import { readBody } from "../../src/http/body.ts";
import { Turns } from "../../src/http/turns.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

/** A request whose body comes in `chunks` and then as `after` says; tells what was read of it. */
function requestOf(
  chunks: readonly Uint8Array[],
  { headers = {}, after = "end" }: {
    readonly headers?: Record<string, string>;
    readonly after?: "end" | "silence" | "error";
  } = {},
) {
  const rest = [...chunks];
  const read = { bytes: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const chunk = rest.shift();
      if (chunk !== undefined) {
        read.bytes += chunk.length;
        controller.enqueue(new Uint8Array(chunk));
      } else if (after === "end") controller.close();
      else if (after === "error") controller.error(new Error("the client is gone"));
      else await new Promise(() => {});
    },
    cancel() {
      read.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { request: new Request("http://a.example/", { method: "POST", headers, body }), read };
}

function bounds(clock: Clock, bytesMax = 10) {
  const watchMemory = () => () => {};
  return { bytesMax, timeoutMs: 5_000, clock, turns: new Turns(systemClock), watchMemory };
}

Deno.test("a body is read whole, in whatever pieces it comes", async () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 3_000 }), { maxLength: 8 });
  await fc.assert(fc.asyncProperty(pieces, async (pieces) => {
    const clock = new FakeClock();
    const all = new Uint8Array(pieces.flatMap((piece) => [...piece]));
    const { request } = requestOf(pieces);
    const body = await readBody(request, bounds(clock, all.length));
    assertEquals(body, { kind: "read", bytes: all });
    assertEquals(clock.pending, 0);
  }));
});

Deno.test("a request without a body has an empty one", async () => {
  const request = new Request("http://a.example/", { method: "POST" });
  const body = await readBody(request, bounds(new FakeClock()));
  assertEquals(body, { kind: "read", bytes: new Uint8Array() });
});

Deno.test("of a body that tells its length and is too large, nothing is read", async () => {
  const { request, read } = requestOf([new Uint8Array(5)], { headers: { "content-length": "11" } });
  assertEquals(await readBody(request, bounds(new FakeClock())), { kind: "too_large" });
  assertEquals(read.bytes, 0);
});

for (const [length, how] of [[10, "small"], [100_000, "large"]] as const) {
  Deno.test(`a ${how} body of exactly the limit is read, whether it tells its length or not`, async () => {
    for (const headers of [{ "content-length": `${length}` }, {}]) {
      const { request } = requestOf([new Uint8Array(length)], { headers });
      const body = await readBody(request, bounds(new FakeClock(), length));
      assertEquals(body, { kind: "read", bytes: new Uint8Array(length) });
    }
  });
}

Deno.test("a body that does not tell its length is read until it is too large, and no further", async () => {
  const clock = new FakeClock();
  const chunks = Array.from({ length: 1_000 }, () => new Uint8Array(4));
  for (const length of ["", "chunked", "-1", "1e9", "0x1"]) {
    const { request, read } = requestOf(chunks, { headers: { "content-length": length } });
    assertEquals(await readBody(request, bounds(clock)), { kind: "too_large" });
    assertEquals(read, { bytes: 12, cancelled: true });
    assertEquals(clock.pending, 0);
  }
});

Deno.test("a body that is not there in time is left, and nothing waits for it", async () => {
  const clock = new FakeClock();
  const { request, read } = requestOf([new Uint8Array(1)], { after: "silence" });
  const reading = readBody(request, bounds(clock));
  while (read.bytes === 0) await new Promise((resolve) => setTimeout(resolve));
  clock.advance(4_999);
  assertEquals(read.cancelled, false);
  clock.advance(1);
  assertEquals(await reading, { kind: "too_slow" });
  assertEquals([read.cancelled, clock.pending], [true, 0]);
});

Deno.test("a body that breaks as it is given up was too slow", async () => {
  const clock = new FakeClock();
  let breakOff = () => {};
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => void (breakOff = () => controller.error(new Error("gone"))),
  });
  const reading = readBody(
    new Request("http://a.example/", { method: "POST", body }),
    bounds(clock),
  );
  breakOff();
  clock.advance(5_000);
  assertEquals(await reading, { kind: "too_slow" });
  assertEquals(clock.pending, 0);
});

Deno.test("a body is dropped when the process grows too much, and is counted for as long as it comes", async () => {
  const clock = new FakeClock();
  const { request, read } = requestOf([new Uint8Array(1)], { after: "silence" });
  const ends = new Set<() => void>();
  const watchMemory = (end: () => void) => (ends.add(end), () => ends.delete(end));
  const reading = readBody(request, { ...bounds(clock), watchMemory });
  while (read.bytes === 0) await new Promise((resolve) => setTimeout(resolve));
  for (const end of ends) end();
  assertEquals(await reading, { kind: "dropped" });
  assertEquals([read.cancelled, ends.size, clock.pending], [true, 0, 0]);
});

for (const [bytes, inCrumbs] of [[1, true], [255, true], [256, false]] as const) {
  Deno.test(`a body in parts of ${bytes} that is given up ${inCrumbs ? "came" : "did not come"} in crumbs`, async () => {
    const parts = Array.from({ length: 20 }, () => new Uint8Array(bytes));
    const expected = inCrumbs ? { inCrumbs } : {};
    const tooLarge = requestOf(parts).request;
    const limit = bounds(new FakeClock(), 19 * bytes);
    assertEquals(await readBody(tooLarge, limit), { kind: "too_large", ...expected });
    const clock = new FakeClock();
    const { request, read } = requestOf(parts, { after: "silence" });
    const reading = readBody(request, bounds(clock, 20 * bytes));
    while (read.bytes < 20 * bytes) await new Promise((resolve) => setTimeout(resolve));
    await new Promise((resolve) => setTimeout(resolve));
    clock.advance(5_000);
    assertEquals(await reading, { kind: "too_slow", ...expected });
  });
}

Deno.test("a body that ends early is broken, and leaves no timer", async () => {
  const clock = new FakeClock();
  const { request } = requestOf([new Uint8Array(1)], { after: "error" });
  assertEquals(await readBody(request, bounds(clock)), { kind: "broken" });
  assertEquals(clock.pending, 0);
});

Deno.test("a small body of a told length leaves no timer, however it ends", async () => {
  const headers = { "content-length": "3" };
  const ends = [
    ["end", { kind: "read", bytes: new Uint8Array(3) }],
    ["error", { kind: "broken" }],
    ["silence", { kind: "too_slow" }],
  ] as const;
  for (const [after, expected] of ends) {
    const clock = new FakeClock();
    const { request, read } = requestOf([new Uint8Array(3)], { headers, after });
    const reading = readBody(request, bounds(clock));
    while (read.bytes === 0) await new Promise((resolve) => setTimeout(resolve));
    if (after === "silence") clock.advance(5_000);
    assertEquals(await reading, expected);
    assertEquals(clock.pending, 0);
  }
});

for (const bodies of [1, 20]) {
  Deno.test(`bodies in tiny parts are read whole, and others have their turn meanwhile: ${bodies}`, async () => {
    const requests = Array.from(
      { length: bodies },
      () => requestOf(Array.from({ length: 1_000 }, () => new Uint8Array(1))),
    );
    const clock = systemClock;
    const each = { ...bounds(clock, 10_000), timeoutMs: 60_000, turns: new Turns(clock) };
    const all = Promise.all(requests.map(({ request }) => readBody(request, each)));
    const bytesRead = () => requests.reduce((sum, { read }) => sum + read.bytes, 0);
    let [before, most, isOver] = [0, 0, false];
    void all.then(() => isOver = true);
    while (!isOver) {
      most = Math.max(most, bytesRead() - before);
      before = bytesRead();
      await new Promise((resolve) => setTimeout(resolve));
    }
    assertEquals(await all, requests.map(() => ({ kind: "read", bytes: new Uint8Array(1_000) })));
    // What a turn permits, and the part that each body has read ahead; timers may come in twos.
    assert(most <= 10 * bodies + 16, `${most} parts in a turn`);
  });
}

Deno.test("of long parts more are read in a turn", async () => {
  const clock = new FakeClock();
  const long = Array.from({ length: 140 }, () => new Uint8Array(16_384));
  const { request, read } = requestOf(long);
  const reading = readBody(request, { ...bounds(clock, 4_000_000), turns: new Turns(clock) });
  for (let before = -1; before !== read.bytes;) {
    before = read.bytes;
    await new Promise((resolve) => setTimeout(resolve));
  }
  assertEquals(read.bytes, (8 + 128) * 16_384);
  clock.advance(0);
  assertEquals((await reading).kind, "read");
});

for (
  const [bytes, parts] of [[1, 4], [512, 4], [1_024, 8], [8_192, 64], [16_384, 128], [
    65_536,
    128,
  ]] as const
) {
  Deno.test(`in a turn ${parts} parts of ${bytes} bytes are read`, () => {
    const clock = new FakeClock();
    const turns = new Turns(clock);
    for (let turn = 0; turn < 2; turn++) {
      for (let n = 1; n < parts; n++) assertEquals(turns.after(bytes), undefined, `${n}`);
      assertInstanceOf(turns.after(bytes), Promise);
      clock.advance(0);
      assertEquals(clock.pending, 0);
    }
  });
}
