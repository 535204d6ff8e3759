/** Greeting, frames and metadata: tables, and whatever bytes in whatever pieces. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { asciiBytes, concatBytes, uint64Bytes } from "../../src/zmtp/bytes.ts";
import { ByteReader, writeAll } from "../../src/zmtp/duplex.ts";
import { encodeFrame, type Frame, readFrame } from "../../src/zmtp/frames.ts";
import { clientGreeting, readGreeting } from "../../src/zmtp/greeting.ts";
import { encodeProperty, readMetadata } from "../../src/zmtp/metadata.ts";
import { ZmtpError, type ZmtpErrorCode } from "../../src/zmtp/zmtp_error.ts";
import { READ_BYTES } from "../../src/zmtp/zmtp_limits.ts";
import { recording } from "./pipe.ts";
import { assertViolates, failureOf } from "./violations.ts";

const LIMIT = 1_000;

function reader(bytes: Uint8Array, pieces?: readonly number[]): ByteReader {
  return new ByteReader(recording(bytes, pieces));
}

// Greeting.

/** A greeting of libzmq 4.3, and how it may differ. */
function greeting(change: (bytes: Uint8Array) => void = () => {}): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1]);
  bytes.set(asciiBytes("CURVE"), 12);
  change(bytes);
  return bytes;
}

Deno.test("a client greets with 64 bytes: signature, version 3.0, CURVE, no server", () => {
  const hex = clientGreeting().toHex();
  assertEquals(hex, `ff${"00".repeat(8)}7f0300${"4355525645".padEnd(40, "0")}00${"00".repeat(31)}`);
});

const goodGreetings: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ["of libzmq", greeting()],
  ["with anything as padding", greeting((bytes) => bytes.set([1, 2, 3, 4, 5, 6, 7, 8], 1))],
  ["of a later version", greeting((bytes) => bytes.set([4, 200], 10))],
  ["with the bit of a server", greeting((bytes) => bytes.set([1], 32))],
];

for (const [what, bytes] of goodGreetings) {
  Deno.test(`a greeting ${what} is taken`, () => readGreeting(reader(bytes)));
}

const badGreetings: readonly (readonly [string, ZmtpErrorCode, Uint8Array])[] = [
  ["that begins otherwise", "greeting_invalid", greeting((bytes) => bytes.set([0xfe]))],
  ["whose signature ends otherwise", "greeting_invalid", greeting((bytes) => bytes.set([0x7e], 9))],
  ["of a web server", "greeting_invalid", asciiBytes("HTTP/1.1 400 Bad Request\r\n")],
  [
    "of version 2, which ends early",
    "version_unsupported",
    greeting((b) => b.set([2], 10)).slice(0, 12),
  ],
  ["of version 1", "version_unsupported", greeting((bytes) => bytes.set([1], 10))],
  ["for NULL", "mechanism_unsupported", greeting((b) => b.set(asciiBytes("NULL\0"), 12))],
  ["for a longer name", "mechanism_unsupported", greeting((b) => b.set(asciiBytes("CURVE2"), 12))],
  ["with a byte far behind the name", "mechanism_unsupported", greeting((b) => b.set([1], 31))],
  ["that ends early", "connection_lost", greeting().slice(0, 63)],
  ["of nothing", "connection_lost", new Uint8Array()],
];

for (const [what, code, bytes] of badGreetings) {
  Deno.test(`a greeting ${what} is refused as ${code}`, async () => {
    await assertViolates(code, () => readGreeting(reader(bytes)));
  });
}

Deno.test("a greeting is read to its last byte and no further", async () => {
  const source = reader(concatBytes(greeting(), Uint8Array.of(42)));
  await readGreeting(source);
  assertEquals(await source.take(1), Uint8Array.of(42));
});

// Frames.

const frames: readonly (readonly [what: string, frame: Frame, start: string])[] = [
  ["an empty message", { command: false, more: false, body: new Uint8Array() }, "0000"],
  ["a message of two frames", { command: false, more: true, body: Uint8Array.of(7) }, "010107"],
  ["a command", { command: true, more: false, body: Uint8Array.of(7, 8) }, "04020708"],
  ["the longest short one", { command: false, more: false, body: new Uint8Array(255) }, "00ff00"],
  [
    "the shortest long one",
    { command: false, more: true, body: new Uint8Array(256) },
    "030000000000000100",
  ],
  [
    "a long command",
    { command: true, more: false, body: new Uint8Array(300) },
    "06000000000000012c",
  ],
];

for (const [what, frame, start] of frames) {
  Deno.test(`${what} has its bytes, and is read from them`, async () => {
    const bytes = encodeFrame(frame);
    assert(bytes.toHex().startsWith(start), bytes.toHex());
    assertEquals(await readFrame(reader(bytes), LIMIT), frame);
  });
}

Deno.test("a long frame may be small", async () => {
  const bytes = Uint8Array.of(2, ...uint64Bytes(1n), 9);
  const frame = { command: false, more: false, body: Uint8Array.of(9) };
  assertEquals(await readFrame(reader(bytes), LIMIT), frame);
});

const badFrames: readonly (readonly [string, ZmtpErrorCode, Uint8Array])[] = [
  ["with a reserved flag", "frame_invalid", Uint8Array.of(8, 0)],
  ["with the highest flag", "frame_invalid", Uint8Array.of(0x80, 0)],
  ["that is a command with more to come", "frame_invalid", Uint8Array.of(5, 0)],
  ["just above the limit", "frame_too_large", Uint8Array.of(2, ...uint64Bytes(1_001n))],
  ["of 2^63 bytes", "frame_too_large", Uint8Array.of(2, ...uint64Bytes(2n ** 63n))],
  ["of 2^32 bytes", "frame_too_large", Uint8Array.of(6, ...uint64Bytes(2n ** 32n))],
  ["that ends in its size", "connection_lost", Uint8Array.of(2, 0, 0)],
  ["that ends in its body", "connection_lost", Uint8Array.of(0, 2, 1)],
  ["of which there is nothing", "connection_lost", new Uint8Array()],
];

for (const [what, code, bytes] of badFrames) {
  Deno.test(`a frame ${what} is refused as ${code}`, async () => {
    await assertViolates(code, () => readFrame(reader(bytes), LIMIT));
  });
}

Deno.test("a frame of exactly the limit is taken, also when that is short", async () => {
  const frame = { command: false, more: false, body: new Uint8Array(LIMIT) };
  assertEquals(await readFrame(reader(encodeFrame(frame)), LIMIT), frame);
  await assertViolates("frame_too_large", () => readFrame(reader(Uint8Array.of(0, 5)), 4));
});

// Metadata.

Deno.test("metadata has its bytes, and names lose their case", () => {
  const bytes = concatBytes(
    encodeProperty("Socket-Type", asciiBytes("REP")),
    encodeProperty("X-a_b.c+1", new Uint8Array()),
  );
  assertEquals(
    bytes.toHex(),
    "0b536f636b65742d5479706500000003524550" + "09582d615f622e632b3100000000",
  );
  assertEquals(readMetadata(bytes), [
    { name: "socket-type", value: asciiBytes("REP") },
    { name: "x-a_b.c+1", value: new Uint8Array() },
  ]);
  assertEquals(readMetadata(new Uint8Array()), []);
});

const badMetadata: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ["a name of nothing", Uint8Array.of(0, 0, 0, 0, 0)],
  ["a name with a blank", Uint8Array.of(1, 0x20, 0, 0, 0, 0)],
  ["a name cut off", Uint8Array.of(3, 0x61, 0x61)],
  ["a size cut off", Uint8Array.of(1, 0x61, 0, 0, 0)],
  ["no size", Uint8Array.of(1, 0x61)],
  ["a value cut off", Uint8Array.of(1, 0x61, 0, 0, 0, 2, 1)],
  ["a value of 4 GiB", Uint8Array.of(1, 0x61, 255, 255, 255, 255, 1)],
  ["a byte left over", Uint8Array.of(1, 0x61, 0, 0, 0, 0, 5)],
];

for (const [what, bytes] of badMetadata) {
  Deno.test(`metadata with ${what} is refused`, async () => {
    await assertViolates("metadata_malformed", () => readMetadata(bytes));
  });
}

// Whatever comes.

const pieces = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });
/** Bytes that get somewhere more often than chance would. */
const plausible = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }).map((rest) => concatBytes(greeting(), rest)),
  fc.array(fc.tuple(fc.constantFrom(0, 1, 2, 3, 4, 6, 5, 8), fc.nat(300), fc.uint8Array()))
    .map((all) =>
      concatBytes(...all.flatMap(([flags, size, body]) => [
        (flags & 2) === 0
          ? Uint8Array.of(flags, size % 256)
          : Uint8Array.of(flags, ...uint64Bytes(BigInt(size))),
        body,
      ]))
    ),
);

/** Greeting and frames until something stops it: what was read, and why it ended. */
async function readAll(bytes: Uint8Array, sizes: readonly number[], withGreeting: boolean) {
  const conn = recording(bytes, sizes);
  const source = new ByteReader(conn);
  const read: Frame[] = [];
  const error = await failureOf(async () => {
    if (withGreeting) await readGreeting(source);
    for (;;) read.push(await readFrame(source, 200));
  });
  if (!(error instanceof ZmtpError)) throw error;
  assert(conn.reads <= bytes.length + 1, "It reads on when there is nothing");
  assert(conn.largestRead <= READ_BYTES);
  return { read, code: error.code };
}

Deno.test("whatever comes in whatever pieces, reading ends in a violation and never in anything else", async () => {
  await fc.assert(
    fc.asyncProperty(plausible, pieces, fc.boolean(), async (bytes, sizes, withGreeting) => {
      await readAll(bytes, sizes, withGreeting);
    }),
    { numRuns: 500 },
  );
});

Deno.test("how bytes are cut into pieces makes no difference", async () => {
  await fc.assert(
    fc.asyncProperty(plausible, pieces, fc.boolean(), async (bytes, sizes, withGreeting) => {
      const whole = await readAll(bytes, [Infinity], withGreeting);
      assertEquals(await readAll(bytes, sizes, withGreeting), whole);
    }),
    { numRuns: 500 },
  );
});

Deno.test("frames are read as they were written, one after the other", async () => {
  const frame = fc.record({
    command: fc.boolean(),
    more: fc.boolean(),
    body: fc.uint8Array({ maxLength: 600 }),
  }).map((made) => ({ ...made, more: made.more && !made.command }));
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 5 }), pieces, async (made, sizes) => {
      const source = reader(concatBytes(...made.map(encodeFrame)), sizes);
      for (const expected of made) {
        const read = await readFrame(source, 600);
        assertEquals({ ...read, body: read.body.toHex() }, {
          ...expected,
          body: Uint8Array.from(expected.body).toHex(),
        });
      }
      await assertViolates("connection_lost", () => source.take(1));
    }),
  );
});

Deno.test("whatever metadata comes, it is read to the end or refused", () => {
  const piece = fc.tuple(fc.nat(12), fc.uint8Array({ maxLength: 20 }));
  const bytes = fc.array(piece).map((all) =>
    concatBytes(...all.flatMap(([size, rest]) => [Uint8Array.of(size), rest]))
  );
  fc.assert(fc.property(fc.oneof(bytes, fc.uint8Array({ maxLength: 100 })), (metadata) => {
    try {
      const properties = readMetadata(metadata);
      const size = properties.reduce(
        (sum, { name, value }) => sum + 5 + name.length + value.length,
        0,
      );
      assertEquals(size, metadata.length);
    } catch (error) {
      if (!(error instanceof ZmtpError)) throw error;
      assertEquals(error.code, "metadata_malformed");
    }
  }));
});

// The connection.

Deno.test("a read of nothing is an end, not a reason to ask again", async () => {
  let reads = 0;
  const read = () => Promise.resolve(reads++ === 0 ? 0 : null);
  const source = new ByteReader({ ...recording(new Uint8Array()), read });
  await assertViolates("connection_lost", () => source.take(1));
  assertEquals(reads, 1);
});

Deno.test("a connection that breaks keeps its reason as the cause", async () => {
  const cause = new Error("reset by peer");
  const broken = { ...recording(new Uint8Array()), read: () => Promise.reject(cause) };
  const error = await assertViolates("connection_lost", () => new ByteReader(broken).take(1));
  assertEquals(error.cause, cause);
});

Deno.test("what is written goes out whole, however little is taken at once", async () => {
  const taken: number[] = [];
  const write = (bytes: Uint8Array) => {
    const part = bytes.subarray(0, 3);
    taken.push(...part);
    return Promise.resolve(part.length);
  };
  const conn = { ...recording(new Uint8Array()), write };
  await writeAll(conn, Uint8Array.of(1, 2, 3, 4, 5, 6, 7));
  assertEquals(taken, [1, 2, 3, 4, 5, 6, 7]);
  const full = { ...conn, write: () => Promise.resolve(0) };
  await assertViolates("connection_lost", () => writeAll(full, Uint8Array.of(1)));
});
