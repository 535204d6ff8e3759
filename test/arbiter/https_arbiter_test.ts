/** The service asks an arbiter of Databox 0.4, over real TLS: rightly, and with all that may go wrong. */
import { assert, assertEquals, assertFalse, assertMatch } from "@std/assert";
import { Buffer } from "node:buffer";
import type { ArbiterFault, FetchedSecret } from "../../src/arbiter/fetched_secret.ts";
import { fetchSecretByHttps, type HttpsQuestion } from "../../src/arbiter/https_arbiter.ts";
import { systemClock } from "../../src/clock.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { readTlsFixture } from "../fakes/tls_client.ts";

const SECRET = "Qm3kZr8vT1nXw7LcY5hJd2GbF9sAoPeU4iKtMyNqRxV";
/** Bytes of a key file that are no text. */
const KEY = Uint8Array.of(0xfb, 0xff, 0xfe, 10, ...new TextEncoder().encode("key of the service"));
/** A limit that no test reaches unless it is about limits. */
const PLENTY_MS = 30_000;

interface Question {
  readonly method: string;
  readonly path: string;
  readonly key: string | null;
}

async function certificate(): Promise<{ cert: string; key: string }> {
  const names = ["server.pem", "server.pkcs8.key"];
  const [cert = "", key = ""] = await Promise.all(names.map(readTlsFixture));
  return { cert, key };
}

/** An arbiter with a certificate for `export-service` and 127.0.0.1. */
async function serve(answer: () => Response | Promise<Response>) {
  const questions: Question[] = [];
  const listening = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(
    { ...listening, ...await certificate() },
    ({ method, url, headers }) => {
      const path = url.slice(new URL(url).origin.length);
      questions.push({ method, path, key: headers.get("x-api-key") });
      return answer();
    },
  );
  return {
    questions,
    endpoint: new URL(`https://127.0.0.1:${server.addr.port}`),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

/** A peer that speaks TLS and says `text` to one question, whatever it is, and leaves. */
async function saying(text: string) {
  const listener = Deno.listenTls({ hostname: "127.0.0.1", port: 0, ...await certificate() });
  const serving = (async () => {
    using conn = await listener.accept();
    await conn.read(new Uint8Array(4_096));
    await conn.write(new TextEncoder().encode(text));
    await conn.closeWrite();
  })();
  return {
    endpoint: new URL(`https://127.0.0.1:${listener.addr.port}`),
    async [Symbol.asyncDispose]() {
      await serving;
      listener.close();
    },
  };
}

/** Asks as the service would; `ca` is what it trusts. */
async function ask(
  endpoint: URL,
  change: Partial<HttpsQuestion> = {},
  ca = "ca.pem",
): Promise<FetchedSecret> {
  using client = Deno.createHttpClient({ caCerts: [await readTlsFixture(ca)] });
  return await fetchSecretByHttps({
    fetch: (url, init) => fetch(url, { ...init, client }),
    endpoint,
    key: KEY,
    clock: systemClock,
    timeoutMs: PLENTY_MS,
    signal: new AbortController().signal,
    ...change,
  });
}

/** What a failure says, `why` among it; neither the key nor what was answered may be in it. */
function failure(fetched: FetchedSecret, why = /./): ArbiterFault {
  if (fetched.kind === "secret") throw new Error("Expected a failure, found a secret");
  const told = JSON.stringify(fetched);
  for (const hidden of [SECRET, Buffer.from(KEY).toString("base64"), "key of the service"]) {
    assertFalse(told.includes(hidden), told);
  }
  assertMatch(fetched.detail, why);
  return fetched.code;
}

Deno.test("the key goes in its header as base64 of its bytes, and the secret comes back", async () => {
  await using arbiter = await serve(() => new Response(SECRET));
  assertEquals(await ask(arbiter.endpoint), { kind: "secret", secret: SECRET });
  assertEquals(arbiter.questions, [{
    method: "GET",
    path: "/store/secret",
    key: "+//+CmtleSBvZiB0aGUgc2VydmljZQ==",
  }]);
});

Deno.test("a key up to its limit is sent whole", async () => {
  await using arbiter = await serve(() => new Response(SECRET));
  const key = new Uint8Array(4_096).fill(0xff);
  assertEquals((await ask(arbiter.endpoint, { key })).kind, "secret");
  assertEquals(arbiter.questions[0]?.key, Buffer.from(key).toString("base64"));
});

const page = (text: string) => new Response(text, { headers: { "content-type": "text/html" } });
const elsewhere = { location: "https://127.0.0.1:1/store/secret" };

const answers: readonly (readonly [what: string, code: ArbiterFault, answer: () => Response])[] = [
  ["401", "unauthorized", () => new Response("Invalid API key", { status: 401 })],
  ["403", "unauthorized", () => new Response(SECRET, { status: 403 })],
  ["404", "status_unexpected", () => new Response(SECRET, { status: 404 })],
  ["500", "status_unexpected", () => new Response(null, { status: 500 })],
  [
    "a redirect",
    "status_unexpected",
    () => new Response(SECRET, { status: 302, headers: elsewhere }),
  ],
  ["that nothing changed", "status_unexpected", () => new Response(null, { status: 304 })],
  ["nothing", "secret_missing", () => new Response("")],
  ["204, which has nothing", "secret_missing", () => new Response(null, { status: 204 })],
  ["a page of HTML", "answer_malformed", () => page("<!doctype html>\n<p>Not here</p>")],
  ["a page without a blank", "answer_malformed", () => page("<html>moved</html>")],
  ["a JSON text", "answer_malformed", () => Response.json({ secret: SECRET })],
  ["a secret with a line end", "answer_malformed", () => new Response(`${SECRET}\n`)],
  ["a secret that is too long", "answer_malformed", () => new Response("s".repeat(1_025))],
  ["as much as is read", "answer_malformed", () => new Response("s".repeat(4_096))],
  ["more than is read", "answer_too_large", () => new Response("s".repeat(4_097))],
];

for (const [what, code, answer] of answers) {
  Deno.test(`an arbiter that answers ${what} gave no secret: ${code}`, async () => {
    await using arbiter = await serve(answer);
    assertEquals(failure(await ask(arbiter.endpoint)), code);
    assertEquals(arbiter.questions.length, 1);
  });
}

Deno.test("what an arbiter says beside a refusal is not waited for", async () => {
  let isLeft = false;
  const body = new ReadableStream({ cancel: () => void (isLeft = true) });
  const fetch = () => Promise.resolve(new Response(body, { status: 401 }));
  const endpoint = new URL("https://arbiter:8080");
  assertEquals(failure(await ask(endpoint, { fetch })), "unauthorized");
  assert(isLeft);
});

Deno.test("a secret up to its limit is taken, whatever type the answer says it has", async () => {
  for (const secret of ["s", "s".repeat(1_024)]) {
    await using arbiter = await serve(() => page(secret));
    assertEquals(await ask(arbiter.endpoint), { kind: "secret", secret });
  }
});

Deno.test("an answer without an end is left at the limit of its size", async () => {
  const cancelled = Promise.withResolvers<void>();
  const endless = () =>
    new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(1_000).fill(0x73)),
      cancel: () => cancelled.resolve(),
    });
  await using arbiter = await serve(() => new Response(endless()));
  assertEquals(failure(await ask(arbiter.endpoint)), "answer_too_large");
  await cancelled.promise;
});

Deno.test("an answer that is small only while packed is left at the limit too", async () => {
  const zeros = new Blob([new Uint8Array(20_000_000).fill(0x73)]).stream();
  const packed = await new Response(zeros.pipeThrough(new CompressionStream("gzip"))).bytes();
  assert(packed.length < 40_000);
  const headers = { "content-encoding": "gzip" };
  await using arbiter = await serve(() => new Response(packed, { headers }));
  assertEquals(failure(await ask(arbiter.endpoint)), "answer_too_large");
});

Deno.test("an arbiter that answers nothing is left at the time limit", async () => {
  const clock = new FakeClock();
  const held = Promise.withResolvers<Response>();
  await using arbiter = await serve(() => {
    clock.advance(PLENTY_MS);
    return held.promise;
  });
  assertEquals(failure(await ask(arbiter.endpoint, { clock })), "timed_out");
  assertEquals(clock.pending, 0);
  held.resolve(new Response());
});

Deno.test("an arbiter that begins to answer and stops is left at the same limit", async () => {
  const clock = new FakeClock();
  let parts = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (parts++ === 0) controller.enqueue(new TextEncoder().encode(SECRET));
      else clock.advance(PLENTY_MS);
    },
  });
  await using arbiter = await serve(() => new Response(body));
  assertEquals(failure(await ask(arbiter.endpoint, { clock })), "timed_out");
  assertEquals(clock.pending, 0);
});

Deno.test("an answer that breaks off is no secret, however much of it came", async () => {
  await using arbiter = await saying(`HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n${SECRET}`);
  assertEquals(failure(await ask(arbiter.endpoint)), "connection_lost");
});

Deno.test("a peer that speaks no HTTP is a failure, and what it said is not repeated", async () => {
  await using arbiter = await saying(`${SECRET}\r\n\r\n`);
  assertEquals(failure(await ask(arbiter.endpoint)), "connect_failed");
});

const strangers: readonly (readonly [who: string, host: string, ca: string, why: RegExp])[] = [
  ["of another authority", "127.0.0.1", "../tls/ca.pem", /certificate: UnknownIssuer/],
  ["for another name", "localhost", "ca.pem", /certificate not valid for name "localhost"/],
];

for (const [who, host, ca, why] of strangers) {
  Deno.test(`an arbiter with a certificate ${who} is told nothing, and the failure says why`, async () => {
    await using arbiter = await serve(() => new Response(SECRET));
    const endpoint = new URL(arbiter.endpoint);
    endpoint.hostname = host;
    assertEquals(failure(await ask(endpoint, {}, ca), why), "connect_failed");
    assertEquals(arbiter.questions, []);
  });
}

Deno.test("a peer that speaks no TLS, or nobody, is a failure to connect that says which", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = new URL(`https://127.0.0.1:${listener.addr.port}`);
  const asking = ask(endpoint);
  const conn = await listener.accept();
  await conn.write(new TextEncoder().encode(`HTTP/1.1 200 OK\r\n\r\n${SECRET}`));
  assertEquals(failure(await asking, /corrupt message/), "connect_failed");
  conn.close();
  listener.close();
  assertEquals(failure(await ask(endpoint), /refused/i), "connect_failed");
  const nowhere = new URL("https://arbiter.invalid:8080");
  assertEquals(failure(await ask(nowhere), /dns error/), "connect_failed");
});

Deno.test("of what is behind a failure only so much is told", async () => {
  const cause = new Error("a name ".repeat(1_000));
  const fetch = () => Promise.reject(new TypeError("fetch failed", { cause }));
  const fetched = await ask(new URL("https://arbiter:8080"), { fetch });
  assertEquals(failure(fetched, /^(a name ){71}a n$/), "connect_failed");
});

Deno.test("stopped before or during it, an attempt ends", async () => {
  const stopping = new AbortController();
  const held = Promise.withResolvers<Response>();
  await using arbiter = await serve(() => {
    stopping.abort();
    return held.promise;
  });
  const { signal } = stopping;
  assertEquals(failure(await ask(arbiter.endpoint, { signal })), "stopped");
  held.resolve(new Response());
  assertEquals(failure(await ask(arbiter.endpoint, { signal })), "stopped");
  assertEquals(arbiter.questions.length, 1);
});

const notAsked:
  readonly (readonly [what: string, endpoint: string, key: Uint8Array, ArbiterFault])[] = [
    ["plain http", "http://arbiter:8080", KEY, "endpoint_invalid"],
    ["tcp", "tcp://arbiter:4444", KEY, "endpoint_invalid"],
    ["a user name", "https://user@arbiter:8080", KEY, "endpoint_invalid"],
    ["a password", "https://:word@arbiter:8080", KEY, "endpoint_invalid"],
    ["a path", "https://arbiter:8080/path", KEY, "endpoint_invalid"],
    ["a query", "https://arbiter:8080/?name=value", KEY, "endpoint_invalid"],
    ["a fragment", "https://arbiter:8080/#part", KEY, "endpoint_invalid"],
    ["a key above its limit", "https://arbiter:8080", new Uint8Array(4_097), "token_too_long"],
  ];

for (const [what, endpoint, key, code] of notAsked) {
  Deno.test(`a question with ${what} is not asked: ${code}`, async () => {
    const fetch = () => Promise.reject(new Error("must not be called"));
    assertEquals(failure(await ask(new URL(endpoint), { fetch, key })), code);
  });
}
