/** What the benchmark reads: answers, its own payloads, what the system and Redis count. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { readAnswer } from "../../bench/connection.ts";
import { readOptions } from "../../bench/options.ts";
import { numberIn, payloadOf } from "../../bench/payload.ts";
import { callsIn } from "../../bench/redis.ts";
import { peakMiBIn, ticksIn } from "../../bench/usage.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

Deno.test("an answer is read once it is there as a whole", () => {
  const whole = bytes("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nvary: x\r\n\r\n{é: 1}");
  for (let n = 0; n < whole.length; n++) assertEquals(readAnswer(whole.subarray(0, n)), undefined);
  assertEquals(readAnswer(whole), { status: 200, body: "{é: 1}" });
});

Deno.test("an answer of unknown length is not read as an empty one", () => {
  const chunked = bytes("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
  assertThrows(() => readAnswer(chunked), Error, "without status and length");
});

Deno.test("a payload is 1,024 bytes of JSON and knows its number", () => {
  for (const number of [0, 7, 1_234_567]) {
    const payload = payloadOf(number);
    assertEquals(bytes(payload).length, 1_024);
    assertEquals(Number(JSON.parse(payload).n), number);
    assertEquals(numberIn(payload), number);
  }
  assertEquals(numberIn("{}"), NaN);
});

Deno.test("a large payload is as large as was asked for, and has quotes in it", () => {
  for (const size of [2_048, 1_048_576, 1_048_577]) {
    const payload = payloadOf(7, size);
    assertEquals(bytes(payload).length, size);
    assertEquals(Number(JSON.parse(payload).n), 7);
    assertEquals(numberIn(payload), 7);
    const escaped = JSON.stringify(payload).length - size;
    assert(escaped > size / 100 && escaped < size, `${escaped} characters are escaped`);
  }
});

Deno.test("processor time is that of a process and of its children that ended", () => {
  const stat = "4711 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 11 0";
  assertEquals(ticksIn(stat), 127);
});

Deno.test("the peak of memory is VmHWM, not VmRSS", () => {
  assertEquals(peakMiBIn("VmPeak:\t 9 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n"), 2);
});

Deno.test("commands that only read do not count as commits", () => {
  const stats = "# Commandstats\r\ncmdstat_hset:calls=3,usec=9,usec_per_call=3.00\r\n" +
    "cmdstat_get:calls=50,usec=1\r\ncmdstat_xadd:calls=4,usec=1\r\n";
  assertEquals(callsIn(stats, new Set(["hset", "xadd"])), 7);
});

Deno.test("options have defaults, and nonsense is told", () => {
  assertEquals(readOptions([])?.clients, [1, 16, 64, 256]);
  assertEquals(readOptions(["--rivals", "ours, toy"])?.rivals, ["ours", "toy"]);
  assertEquals(readOptions(["--help"]), undefined);
  for (const args of [["--clients", "1,x"], ["--rounds", "0"], ["--rivals", "hers"]]) {
    assertThrows(() => readOptions(args), RangeError, "Cannot read --");
  }
});
