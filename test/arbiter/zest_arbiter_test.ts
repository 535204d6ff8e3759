/** The service asks an arbiter of Databox 0.5: rightly, and with everything that may go wrong. */
import { assert, assertEquals, assertFalse, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import nacl from "tweetnacl";
import type { ArbiterFault, FetchedSecret } from "../../src/arbiter/fetched_secret.ts";
import { fetchSecretByZest, type ZestQuestion } from "../../src/arbiter/zest_arbiter.ts";
import { systemClock } from "../../src/clock.ts";
import { encodeZ85 } from "../zmtp/encode_z85.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { ack, content, ZestArbiterServer } from "../fakes/zest_arbiter_server.ts";
import { recording } from "../zmtp/pipe.ts";

const NAME = "export-service";
const TOKEN = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=";
/** A limit that no test reaches unless it is about limits. */
const PLENTY_MS = 30_000;

function arbiter(options?: ConstructorParameters<typeof ZestArbiterServer>[0]): ZestArbiterServer {
  const server = new ZestArbiterServer(options);
  server.register(NAME, TOKEN);
  return server;
}

function question(server: ZestArbiterServer, change: Partial<ZestQuestion> = {}): ZestQuestion {
  return {
    connect: Deno.connect,
    endpoint: server.endpoint,
    serverKey: server.publicKey,
    token: new TextEncoder().encode(TOKEN),
    name: NAME,
    randomBytes: nacl.randomBytes,
    clock: systemClock,
    timeoutMs: PLENTY_MS,
    signal: new AbortController().signal,
    ...change,
  };
}

/** What a failure says; the token must not be in it. */
function failure(fetched: FetchedSecret): ArbiterFault {
  if (fetched.kind === "secret") throw new Error("Expected a failure, found a secret");
  assertFalse(JSON.stringify(fetched).includes(TOKEN));
  assert(fetched.detail.length > 0);
  return fetched.code;
}

Deno.test("the right token gets the secret that the arbiter signs with", async () => {
  await using server = arbiter();
  const fetched = await fetchSecretByZest(question(server));
  assertEquals(fetched, { kind: "secret", secret: server.secrets.get(NAME) });
  assertEquals(server.requests, [{
    code: 1,
    token: TOKEN,
    path: "/store/secret",
    host: NAME,
    format: 50,
    payload: "",
  }]);
  assertEquals(server.faults, []);
});

Deno.test("asked again, the arbiter makes another secret", async () => {
  await using server = arbiter();
  const first = await fetchSecretByZest(question(server));
  const second = await fetchSecretByZest(question(server));
  assert(first.kind === "secret" && second.kind === "secret" && first.secret !== second.secret);
});

Deno.test("a wrong token and an unknown name are refused as unauthorized", async () => {
  await using server = arbiter();
  const wrong = { token: new TextEncoder().encode(`${TOKEN}\n`) };
  assertEquals(failure(await fetchSecretByZest(question(server, wrong))), "unauthorized");
  const unknown = { name: "nobody" };
  assertEquals(failure(await fetchSecretByZest(question(server, unknown))), "unauthorized");
  assertEquals(server.secrets.size, 0);
});

const answers: readonly (readonly [what: string, bytes: Uint8Array, code: ArbiterFault])[] = [
  ["an internal error", ack(160), "internal_error"],
  ["that it cannot now", ack(163), "unavailable"],
  ["a success without content", ack(65), "secret_missing"],
  ["an empty content", content(""), "secret_missing"],
  ["an unknown code", ack(200), "refusal_unknown"],
  ["garbage", Buffer.from("no zest at all"), "answer_malformed"],
  ["nothing", new Uint8Array(), "answer_malformed"],
  ["a secret with a blank", content("two words"), "answer_malformed"],
  ["a secret with a line end", content("secret\n"), "answer_malformed"],
  ["a secret that is not ASCII", content("sécret"), "answer_malformed"],
  ["a secret with a control character", content("secret\x7f"), "answer_malformed"],
  ["a secret that is too long", content("s".repeat(1_025)), "answer_malformed"],
  ["more than any arbiter would", content("s".repeat(70_000)), "frame_too_large"],
];

for (const [what, bytes, code] of answers) {
  Deno.test(`an arbiter that answers ${what} gave no secret: ${code}`, async () => {
    await using server = arbiter({ answer: () => bytes });
    assertEquals(failure(await fetchSecretByZest(question(server))), code);
  });
}

Deno.test("a secret is taken as it is, up to its limit", async () => {
  for (const secret of ["!", "~", "s".repeat(1_024)]) {
    await using server = arbiter({ answer: () => content(secret) });
    assertEquals(await fetchSecretByZest(question(server)), { kind: "secret", secret });
  }
});

Deno.test("the key of another arbiter ends the attempt: this one closes the connection", async () => {
  await using server = arbiter();
  const serverKey = encodeZ85(nacl.box.keyPair().publicKey);
  assertEquals(await fetchSecretByZest(question(server, { serverKey })), {
    kind: "failed",
    code: "hello_unanswered",
    detail: "The connection ended after our HELLO: ZMQ_PUBLIC_KEY may be that of another arbiter",
  });
  assertEquals(server.faults, ["HELLO is not for this server"]);
});

Deno.test("an arbiter that answers nothing is left at the time limit", async () => {
  const clock = new FakeClock();
  await using server = arbiter({
    answer() {
      clock.advance(PLENTY_MS);
      return undefined;
    },
  });
  const fetched = await fetchSecretByZest(question(server, { clock }));
  assertEquals(failure(fetched), "timed_out");
  assertEquals(clock.pending, 0);
  assert(fetched.kind === "failed");
  if (fetched.kind === "failed") assertStringIncludes(fetched.detail, `${PLENTY_MS} ms`);
});

Deno.test("one limit holds over connecting, handshake and answer together", async () => {
  const clock = new FakeClock();
  await using server = arbiter({
    curve: {
      alter(_step, bytes) {
        clock.advance(PLENTY_MS / 4); // Greeting, WELCOME and READY: not yet too late.
        return bytes;
      },
    },
    answer() {
      clock.advance(PLENTY_MS / 8);
      return undefined;
    },
  });
  const connect: ZestQuestion["connect"] = (to) => {
    clock.advance(PLENTY_MS / 8);
    return Deno.connect(to);
  };
  const fetched = await fetchSecretByZest(question(server, { clock, connect }));
  assertEquals(failure(fetched), "timed_out");
  assertEquals(server.requests.length, 1);
});

Deno.test("a host that cannot be reached in time is left, and a late connection closed", async () => {
  await using server = arbiter();
  const clock = new FakeClock();
  const late = Promise.withResolvers<ReturnType<typeof recording>>();
  let signal: AbortSignal | undefined;
  const connect: ZestQuestion["connect"] = (to) => {
    signal = to.signal;
    return late.promise;
  };
  const attempt = fetchSecretByZest(question(server, { clock, connect }));
  assertEquals(signal?.aborted, false);
  clock.advance(PLENTY_MS);
  assertEquals(failure(await attempt), "timed_out");
  assertEquals(signal?.aborted, true);
  const conn = recording(new Uint8Array());
  late.resolve(conn);
  await late.promise;
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
  assertEquals([conn.closed, conn.written], [1, []]);
});

Deno.test("where nobody listens, connecting fails at once", async () => {
  const server = arbiter();
  const { endpoint } = server;
  await server[Symbol.asyncDispose]();
  assertEquals(failure(await fetchSecretByZest(question(server, { endpoint }))), "connect_failed");
});

Deno.test("stopped before or during it, an attempt ends and leaves nothing behind", async () => {
  await using server = arbiter({ answer: () => undefined });
  const stopped = { signal: AbortSignal.abort() };
  assertEquals(failure(await fetchSecretByZest(question(server, stopped))), "stopped");
  assertEquals(server.requests, []);

  const clock = new FakeClock();
  const controller = new AbortController();
  const connect: ZestQuestion["connect"] = async (to) => {
    const conn = await Deno.connect(to);
    controller.abort();
    return conn;
  };
  const during = { clock, connect, signal: controller.signal };
  assertEquals(failure(await fetchSecretByZest(question(server, during))), "stopped");
  assertEquals(clock.pending, 0);
});

Deno.test("a peer that is no arbiter at all is told by what it said", async () => {
  await using server = arbiter({ curve: { alter: () => Buffer.from("HTTP/1.1 400 Bad Request") } });
  assertEquals(failure(await fetchSecretByZest(question(server))), "greeting_invalid");
});

const endpoints:
  readonly (readonly [endpoint: string, to: readonly [string, number] | undefined])[] = [
    ["tcp://arbiter:4444", ["arbiter", 4_444]],
    ["tcp://arbiter:4444/", ["arbiter", 4_444]],
    ["tcp://[::1]:4444", ["::1", 4_444]],
    ["tcp://127.0.0.1:1", ["127.0.0.1", 1]],
    ["tcp://arbiter", undefined],
    ["tcp://arbiter:4444/path", undefined],
    ["tcp://arbiter:4444?query", undefined],
    ["tcp://user@arbiter:4444", undefined],
    ["https://arbiter:4444", undefined],
    ["ipc:///run/arbiter", undefined],
  ];

for (const [endpoint, to] of endpoints) {
  const words = to === undefined ? "is refused" : `leads to ${to.join(" port ")}`;
  Deno.test(`the endpoint ${endpoint} ${words}`, async () => {
    await using server = arbiter();
    const asked: unknown[] = [];
    const connect: ZestQuestion["connect"] = ({ hostname, port }) => {
      asked.push([hostname, port]);
      return Promise.reject(new Error("not now"));
    };
    const change = { endpoint: new URL(endpoint), connect };
    const expected: FetchedSecret = to === undefined
      ? { kind: "failed", code: "endpoint_invalid", detail: "It must be tcp://host:port" }
      : { kind: "failed", code: "connect_failed", detail: "not now" };
    assertEquals(await fetchSecretByZest(question(server, change)), expected);
    assertEquals(asked, to === undefined ? [] : [to]);
  });
}

Deno.test("a key file with a line end, or a token too long, is told before anything is sent", async () => {
  await using server = arbiter();
  const connect: ZestQuestion["connect"] = () => Promise.reject(new Error("must not be called"));
  const cases: readonly (readonly [Partial<ZestQuestion>, ArbiterFault])[] = [
    [{ serverKey: `${server.publicKey}\n` }, "server_key_invalid"],
    [{ serverKey: "" }, "server_key_invalid"],
    [{ serverKey: server.publicKey.slice(5) }, "server_key_invalid"],
    [{ token: new Uint8Array(5_000) }, "token_too_long"],
    [{ name: "n".repeat(256) }, "name_too_long"],
  ];
  for (const [change, code] of cases) {
    assertEquals(failure(await fetchSecretByZest(question(server, { ...change, connect }))), code);
  }
});

Deno.test("a key of nothing but zeros is refused, for anybody could read along", async () => {
  await using server = arbiter();
  const fetched = await fetchSecretByZest(question(server, { serverKey: "0".repeat(40) }));
  assertEquals(failure(fetched), "server_key_invalid");
});

Deno.test("an arbiter that restarts on the same port is asked as if nothing had been", async () => {
  const first = arbiter();
  const { port, secretKey } = first;
  assertEquals((await fetchSecretByZest(question(first))).kind, "secret");
  await first[Symbol.asyncDispose]();
  assertEquals(
    failure(
      await fetchSecretByZest(question(first, { endpoint: new URL(`tcp://127.0.0.1:${port}`) })),
    ),
    "connect_failed",
  );
  await using second = arbiter({ port, secretKey });
  const fetched = await fetchSecretByZest(question(second, { serverKey: first.publicKey }));
  assertEquals(fetched, { kind: "secret", secret: second.secrets.get(NAME) });
});
