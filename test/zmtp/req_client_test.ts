/** One request against a server written from the RFCs: as it should be, and in every wrong way. */
import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import nacl from "tweetnacl";
import { createKeyPair } from "../../src/zmtp/curve.ts";
import type { Duplex } from "../../src/zmtp/duplex.ts";
import { requestOnce, type RequestOptions } from "../../src/zmtp/req_client.ts";
import { ZmtpError, type ZmtpErrorCode } from "../../src/zmtp/zmtp_error.ts";
import { REPLY_BYTES_MAX, REQUEST_BYTES_MAX } from "../../src/zmtp/zmtp_limits.ts";
import {
  type CurveServerOptions,
  frameOf,
  property,
  serveCurve,
  type Step,
} from "./curve_server.ts";
import { pipe, recording } from "./pipe.ts";
import { assertViolates, failureOf } from "./violations.ts";

const SERVER = nacl.box.keyPair.fromSecretKey(new Uint8Array(32).fill(7));
const QUESTION = new TextEncoder().encode("question");
const ANSWER = new TextEncoder().encode("answer");
const never = new AbortController().signal;

function optionsWith(change: Partial<RequestOptions> = {}): RequestOptions {
  const keyPair = createKeyPair(nacl.randomBytes);
  return {
    serverKey: SERVER.publicKey,
    keyPair,
    randomBytes: nacl.randomBytes,
    signal: never,
    ...change,
  };
}

interface Exchange {
  readonly server?: Omit<CurveServerOptions, "secretKey">;
  readonly client?: Partial<RequestOptions>;
  readonly body?: Uint8Array;
  readonly answer?: (body: Uint8Array) => Uint8Array;
  readonly piece?: () => number;
  /** The server leaves once it has sent this. */
  readonly last?: Step;
}

/** Lets one client talk to the server; tells what came of it, and what the server objected to. */
async function talk({ server, client, body = QUESTION, answer, piece, last }: Exchange = {}) {
  const [near, far] = pipe(piece);
  const heard: Uint8Array[] = [];
  let leaving = false;
  const alter: CurveServerOptions["alter"] = (step, bytes) => {
    leaving ||= step === last;
    return server?.alter?.(step, bytes) ?? bytes;
  };
  const leaver: Duplex = {
    ...far,
    read(buffer) {
      if (leaving) far.close();
      return far.read(buffer);
    },
  };
  const serving = failureOf(async () => {
    try {
      const options = { ...server, alter, secretKey: SERVER.secretKey };
      await serveCurve(leaver, options, (question) => {
        heard.push(Uint8Array.from(question));
        return answer?.(question) ?? ANSWER;
      });
    } finally {
      far.close();
    }
  });
  let reply: Uint8Array | undefined;
  const failure = await failureOf(async () => {
    reply = await requestOnce(near, optionsWith(client), body);
  });
  const objection = await serving;
  return { reply, failure, heard, objection };
}

/** Lets one client talk to a server that is wrong somehow; it must end so. */
async function assertEnds(code: ZmtpErrorCode, exchange: Exchange): Promise<ZmtpError> {
  const { failure } = await talk(exchange);
  return await assertViolates(code, () => {
    throw failure;
  });
}

/** Changes the bytes of one step, which are handed over as a copy. */
function altering(step: Step, change: (bytes: Buffer) => Uint8Array | void): Exchange {
  const alter: CurveServerOptions["alter"] = (at, bytes) => {
    if (at !== step) return bytes;
    const copy = Buffer.from(bytes);
    return change(copy) ?? copy;
  };
  return { server: { alter } };
}

Deno.test("a question gets its answer, and the server has nothing to object to", async () => {
  const { reply, heard, objection, failure } = await talk();
  assertEquals([failure, objection], [undefined, undefined]);
  assertEquals(heard, [QUESTION]);
  assertEquals(reply && Uint8Array.from(reply), ANSWER);
});

Deno.test("any question and any answer come through, cut into pieces in any way", async () => {
  const bytes = fc.uint8Array({ maxLength: 2_000 });
  const pieces = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 9 });
  await fc.assert(
    fc.asyncProperty(bytes, bytes, pieces, async (body, answer, sizes) => {
      let at = 0;
      const piece = () => sizes[at++ % sizes.length] ?? 1;
      const { reply, heard, objection } = await talk({ body, answer: () => answer, piece });
      assertEquals(objection, undefined);
      assertEquals(heard.map((one) => one.toHex()), [Uint8Array.from(body).toHex()]);
      assertEquals(reply?.toHex(), Uint8Array.from(answer).toHex());
    }),
    { numRuns: 30 },
  );
});

Deno.test("the largest question and an answer of exactly the limit come through", async () => {
  const body = new Uint8Array(REQUEST_BYTES_MAX).fill(1);
  const { reply, heard } = await talk({
    body,
    answer: () => new Uint8Array(REPLY_BYTES_MAX).fill(2),
  });
  assertEquals(heard[0]?.length, REQUEST_BYTES_MAX);
  assertEquals(reply?.length, REPLY_BYTES_MAX);
  await assertEnds("frame_too_large", { answer: () => new Uint8Array(65_537) });
  assertEquals((await talk({ answer: () => new Uint8Array(65_536) })).reply?.length, 65_536);
});

Deno.test("a question above the limit is not begun", async () => {
  const conn = recording(new Uint8Array());
  const body = new Uint8Array(REQUEST_BYTES_MAX + 1);
  await assertViolates("request_too_large", () => requestOnce(conn, optionsWith(), body));
  assertEquals([conn.written, conn.closed], [[], 1]);
});

Deno.test("each connection has a transient key of its own", async () => {
  const keyPair = createKeyPair(nacl.randomBytes);
  const keys: string[] = [];
  for (let run = 0; run < 2; run++) {
    const [near, far] = pipe();
    const written: Uint8Array[] = [];
    const conn: Duplex = {
      ...near,
      write(bytes) {
        written.push(bytes.slice());
        return near.write(bytes);
      },
    };
    const serving = serveCurve(far, { secretKey: SERVER.secretKey }, () => ANSWER);
    await requestOnce(conn, optionsWith({ keyPair }), QUESTION);
    await serving;
    const [greeting, hello] = written;
    assertEquals([greeting?.length, hello?.length], [64, 202]);
    keys.push(hello?.subarray(82, 114).toHex() ?? "");
  }
  assertEquals(new Set([...keys, keyPair.publicKey.toHex()]).size, 3);
});

for (const socketType of ["REP", "ROUTER"]) {
  Deno.test(`a ${socketType} socket answers`, async () => {
    assert((await talk({ server: { socketType } })).reply);
  });
}

for (const socketType of ["DEALER", "PUB", "rep", "REPL", ""]) {
  Deno.test(`a socket of the type "${socketType}" is refused`, async () => {
    await assertEnds("socket_type_wrong", { server: { socketType } });
  });
}

Deno.test("pings of the server are answered with their context, before the reply or within it", async () => {
  const ping = (...context: readonly number[]) =>
    Uint8Array.from([2, 4, ...Buffer.from("PING"), 0, 100, ...context]);
  const longest = Array.from({ length: 16 }, (_, index) => index);
  const heard: number[][] = [];
  const { reply, objection, failure } = await talk({
    server: {
      before: [ping(1, 2, 3), ping(...longest)],
      frames: (answer) => [Uint8Array.of(1), ping(), Uint8Array.of(0, ...answer)],
      onPong: (context) => heard.push([...context]),
    },
  });
  assertEquals([failure, objection], [undefined, undefined]);
  assertEquals(reply && Uint8Array.from(reply), ANSWER);
  // The server reads on until the client leaves.
  assertEquals(heard, [[1, 2, 3], longest, []]);
});

/** Contents of sealed frames, flags first, that a server may not send. */
const wrongReplies: readonly (readonly [string, ZmtpErrorCode, readonly (readonly number[])[]])[] =
  [
    ["without a delimiter", "reply_malformed", [[0, 1, 2]]],
    ["with something in its delimiter", "reply_malformed", [[1, 9], [0, 1]]],
    ["that is a delimiter only", "reply_malformed", [[0]]],
    ["of two frames", "reply_malformed", [[1], [1, 1], [0, 2]]],
    ["with a reserved flag", "command_malformed", [[4, 1]]],
    ["with an unknown command", "command_unexpected", [[2, 4, 0x50, 0x4f, 0x4e, 0x47]]],
    ["with half a PING", "command_unexpected", [[2, 4, 0x50, 0x49, 0x4e, 0x47, 0]]],
    ["with a PING and more", "command_unexpected", [[3, 4, 0x50, 0x49, 0x4e, 0x47, 0, 0]]],
    ["with a PING too long", "command_malformed", [[
      2,
      4,
      0x50,
      0x49,
      0x4e,
      0x47,
      0,
      0,
      ...Buffer.alloc(17),
    ]]],
  ];

for (const [what, code, contents] of wrongReplies) {
  Deno.test(`a reply ${what} is refused as ${code}`, async () => {
    const frames = () => contents.map((content) => Uint8Array.from(content));
    await assertEnds(code, { server: { frames } });
  });
}

const flipped = (at: number) => (bytes: Buffer) => {
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
};
const raw = (flags: number, text: string) => frameOf(flags, Buffer.from(text, "latin1"));

const wrongSteps:
  readonly (readonly [string, ZmtpErrorCode, Step, (bytes: Buffer) => Uint8Array | void])[] = [
    ["no greeting of ZMTP", "greeting_invalid", "greeting", flipped(0)],
    ["version 2", "version_unsupported", "greeting", flipped(10)],
    ["NULL for CURVE", "mechanism_unsupported", "greeting", flipped(12)],
    ["READY in the place of WELCOME", "command_unexpected", "welcome", () => raw(4, "\x05READY")],
    ["a command of nothing", "command_unexpected", "welcome", () => raw(4, "")],
    ["half the name of WELCOME", "command_unexpected", "welcome", () => raw(4, "\x07WELC")],
    ["WELCOME as a message", "command_unexpected", "welcome", (bytes) => bytes.fill(0, 0, 1)],
    [
      "a WELCOME of 167 bytes",
      "command_malformed",
      "welcome",
      (bytes) => frameOf(4, bytes.subarray(2, 169)),
    ],
    [
      "a WELCOME of 169 bytes",
      "command_malformed",
      "welcome",
      (bytes) => frameOf(4, Buffer.concat([bytes.subarray(2), Buffer.alloc(1)])),
    ],
    ["a WELCOME with another nonce", "box_invalid", "welcome", flipped(2 + 8)],
    ["a WELCOME with another box", "box_invalid", "welcome", flipped(169)],
    [
      "a command of the handshake above its limit",
      "frame_too_large",
      "welcome",
      () => frameOf(4, Buffer.alloc(4_097)),
    ],
    ["an ERROR instead of WELCOME", "refused_by_peer", "welcome", () => raw(4, "\x05ERROR\x03400")],
    ["an ERROR without a reason", "refused_by_peer", "welcome", () => raw(4, "\x05ERROR\0")],
    ["an ERROR instead of READY", "refused_by_peer", "ready", () => raw(4, "\x05ERROR\x03400")],
    ["an ERROR that ends early", "command_malformed", "ready", () => raw(4, "\x05ERROR\x04400")],
    [
      "an ERROR with bytes behind it",
      "command_malformed",
      "ready",
      () => raw(4, "\x05ERROR\x02400"),
    ],
    ["an ERROR with a line end", "command_malformed", "ready", () => raw(4, "\x05ERROR\x03a\nb")],
    ["an ERROR of nothing", "command_malformed", "ready", () => raw(4, "\x05ERROR")],
    ["WELCOME in the place of READY", "command_unexpected", "ready", () => raw(4, "\x07WELCOME")],
    [
      "a READY of 29 bytes",
      "command_malformed",
      "ready",
      (bytes) => frameOf(4, bytes.subarray(2, 31)),
    ],
    ["a READY with another nonce", "box_invalid", "ready", flipped(2 + 6 + 7)],
    ["a READY with another box", "box_invalid", "ready", flipped(2 + 14)],
    [
      "an ERROR instead of a reply",
      "command_unexpected",
      "reply",
      () => raw(0, "\x05ERROR\x03400"),
    ],
    [
      "a message as a frame with more to come",
      "frame_invalid",
      "reply",
      (bytes) => bytes.fill(1, 0, 1),
    ],
    [
      "a message of 32 bytes",
      "command_malformed",
      "reply",
      (bytes) => frameOf(0, bytes.subarray(2, 34)),
    ],
    ["a message with another nonce", "box_invalid", "reply", flipped(2 + 8)],
    ["a message with another box", "box_invalid", "reply", flipped(2 + 16)],
    [
      "a delimiter twice",
      "nonce_repeated",
      "reply",
      (bytes) => Buffer.concat([bytes.subarray(0, 35), bytes]),
    ],
    ["a reply before its delimiter", "reply_malformed", "reply", (bytes) => bytes.subarray(35)],
    ["nothing more after the greeting", "hello_unanswered", "welcome", () => new Uint8Array()],
  ];

for (const [what, code, step, change] of wrongSteps) {
  Deno.test(`a server that sends ${what} is left as ${code}`, async () => {
    await assertEnds(code, { ...altering(step, change), last: step });
  });
}

Deno.test("the nonces of replies must be above that of READY, of whatever size it is", async () => {
  assert((await talk({ server: { readyNonce: 0n } })).reply);
  for (const readyNonce of [2n, 2n ** 64n - 1n]) {
    await assertEnds("nonce_repeated", { server: { readyNonce } });
  }
});

Deno.test("a READY with metadata of no sense is refused", async () => {
  await assertEnds("socket_type_wrong", { server: { socketType: property("a", "b").toString() } });
});

Deno.test("a message sealed as a command is taken as well: the RFC says so, libzmq does not", async () => {
  const alter: CurveServerOptions["alter"] = (step, bytes) => {
    if (step !== "reply") return bytes;
    const copy = Buffer.from(bytes);
    copy.writeUInt8(4, 0);
    copy.writeUInt8(4, 35);
    return copy;
  };
  assert((await talk({ server: { alter } })).reply);
});

Deno.test("any byte changed in what the server seals ends the request", async () => {
  const steps = fc.constantFrom<Step>("welcome", "ready", "reply");
  const masks = fc.integer({ min: 1, max: 255 });
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(), masks, async (step, where, mask) => {
      const changed = altering(step, (bytes) => {
        const at = where % bytes.length;
        bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at);
      });
      const { reply, failure } = await talk({ ...changed, last: step });
      // The flags of a frame go in clear, and say command or message where both are taken.
      const harmless = reply !== undefined && Buffer.from(reply).equals(ANSWER);
      assert(failure instanceof ZmtpError || harmless, String(failure));
    }),
    { numRuns: 200 },
  );
});

Deno.test("whatever the right server seals, a request ends: in a reply of its bytes or a violation", async () => {
  const flags = fc.constantFrom(0, 0, 1, 1, 2, 3, 4, 255);
  const bodies = fc.oneof(
    fc.constant(new Uint8Array()),
    fc.uint8Array({ maxLength: 30 }).map((rest) => Buffer.concat([Buffer.from("\x04PING"), rest])),
    fc.uint8Array({ maxLength: 300 }),
  );
  const content = fc.tuple(flags, bodies).map(([first, body]) => Uint8Array.of(first, ...body));
  const delimiter = fc.constant(Uint8Array.of(1));
  const nothing = fc.constant(new Uint8Array());
  const contents = fc.array(fc.oneof(content, content, delimiter, nothing), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(contents, async (sealed) => {
      const { reply, failure } = await talk({ server: { frames: () => sealed }, last: "reply" });
      const end = sealed.findIndex(([first]) => first === 0);
      if (reply === undefined) assert(failure instanceof ZmtpError, String(failure));
      else assertEquals(Uint8Array.of(0, ...reply), sealed[end]);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a server with another key than expected notices, closes, and the request ends", async () => {
  const other = nacl.box.keyPair();
  const { failure, objection } = await talk({ client: { serverKey: other.publicKey } });
  assert(failure instanceof ZmtpError && failure.code === "hello_unanswered");
  assertEquals(String(objection), "ClientFault: HELLO is not for this server");
});

const badKeys: readonly (readonly [what: string, key: Uint8Array])[] = [
  ["31 bytes", new Uint8Array(31).fill(9)],
  ["33 bytes", new Uint8Array(33).fill(9)],
  ["nothing but zeros", new Uint8Array(32)],
  ["the point of order one", new Uint8Array(32).fill(1, 0, 1)],
];

for (const [what, serverKey] of badKeys) {
  Deno.test(`a server key of ${what} is refused before anything is sent`, async () => {
    const conn = recording(new Uint8Array());
    const options = optionsWith({ serverKey });
    await assertViolates("server_key_invalid", () => requestOnce(conn, options, QUESTION));
    assertEquals([conn.written, conn.closed], [[], 1]);
  });
}

Deno.test("a silent peer is left when the signal aborts, even one that cannot be closed", async () => {
  for (
    const close of [undefined, () => {}, () => {
      throw new Error("closed already");
    }]
  ) {
    const controller = new AbortController();
    const silent = recording(new Uint8Array(), [1], true);
    const conn = close === undefined ? silent : { ...silent, close };
    const options = optionsWith({ signal: controller.signal });
    const request = assertViolates("aborted", () => requestOnce(conn, options, QUESTION));
    controller.abort();
    await request;
    if (close === undefined) assertEquals(silent.closed, 1);
  }
});

Deno.test("a peer that takes no bytes is left when the signal aborts", async () => {
  const controller = new AbortController();
  const write = () => new Promise<number>(() => {});
  const conn = { ...recording(new Uint8Array(), [1], true), write };
  const options = optionsWith({ signal: controller.signal });
  const request = assertViolates("aborted", () => requestOnce(conn, options, QUESTION));
  controller.abort();
  await request;
});

Deno.test("a request given up before it begins sends nothing and closes", async () => {
  const conn = recording(new Uint8Array());
  const options = optionsWith({ signal: AbortSignal.abort() });
  await assertViolates("aborted", () => requestOnce(conn, options, QUESTION));
  assertEquals([conn.written, conn.closed, conn.reads], [[], 1, 0]);
});

Deno.test("the connection is closed once, after success too", async () => {
  const [near, far] = pipe();
  let closed = 0;
  const conn = {
    ...near,
    close() {
      closed++;
      near.close();
    },
  };
  const serving = serveCurve(far, { secretKey: SERVER.secretKey }, () => ANSWER);
  await requestOnce(conn, optionsWith(), QUESTION);
  assertEquals(closed, 1);
  await serving;
});

Deno.test("whatever a peer says, a request ends in a violation, and tells no key", async () => {
  const greeting = Buffer.alloc(64);
  greeting.set([0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0x7f, 3, 1]);
  greeting.write("CURVE", 12);
  const names = fc.constantFrom("\x07WELCOME", "\x05READY", "\x05ERROR", "\x07MESSAGE", "");
  const command = fc.tuple(fc.constantFrom(0, 4), names, fc.uint8Array({ maxLength: 200 }))
    .map(([flags, name, rest]) => frameOf(flags, Buffer.concat([Buffer.from(name), rest])));
  const said = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(command, { maxLength: 4 }).map((all) => Buffer.concat([greeting, ...all])),
  );
  const pieces = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(said, pieces, async (bytes, sizes) => {
      const options = optionsWith();
      const conn = recording(bytes, sizes);
      const error = await failureOf(() => requestOnce(conn, options, QUESTION));
      if (!(error instanceof ZmtpError)) throw error;
      assertEquals(conn.closed, 1);
      assert(conn.reads <= bytes.length + 1);
      const told = `${error.message} ${JSON.stringify(error)} ${Deno.inspect(error)}`;
      assertFalse(told.includes(options.keyPair.secretKey.toHex()));
    }),
    { numRuns: 200 },
  );
});
