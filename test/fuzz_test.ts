/**
 * Requests by the ten thousand, through the app and through real sockets: none may be answered by a
 * failure of the service, tell where it lives, or leave anything behind. `deno task fuzz` makes ten
 * times as many. `EXPORT_TEST_SEED` brings a run back.
 */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  arbitraryBody,
  arbitraryFrame,
  arbitraryHeaders,
  arbitraryMethod,
  arbitraryPath,
  joined,
  mutated,
} from "./fakes/arbitrary_requests.ts";
import { defined } from "./fakes/expect.ts";
import { HeapWatch, longRun } from "./fakes/long_run.ts";
import { DESTINATION, openTestService, type TestService } from "./fakes/test_service.ts";
import { parseFrame, SocketServer, TEXT, until, UPGRADE } from "./http/socket_client.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Mostly one, so that most tokens are for it. */
const URIS = [
  ...Array<string>(40).fill(DESTINATION),
  "https://other.example/",
  "http://127.0.0.1/",
  "nonsense",
  "",
];
const BODY_BYTES = 2_000;
/** The runtime may settle by 10 MiB late in a run; a socket left each time would be a hundred. */
const HEAP_GROWTH_MAX = 32 * 1_048_576;

/** What would tell where the service lives, or what it is made of. */
const TELLTALE = /file:\/\/|node_modules|\/src\/|\.ts\b|\bat \S+ \(|\bError:|Deno\b|stack/;

function assertDiscreet(text: string): void {
  assert(!TELLTALE.test(text) && !text.includes(Deno.cwd()), `it tells too much: ${text}`);
}

/** Tokens, from none over spoilt ones to good ones for `path` and `method`. */
function arbitraryToken(service: TestService) {
  const good = fc.record({
    path: fc.constantFrom("/export", "/lp/export", "/ws/export"),
    method: fc.constantFrom("POST", "GET"),
    destination: fc.constantFrom(...URIS),
    identifier: fc.constantFrom("", "other"),
    caveats: fc.oneof(
      { weight: 9, arbitrary: fc.constant([]) },
      {
        weight: 1,
        arbitrary: fc.array(fc.constantFrom("max_bytes = 5", "x", "time < 1"), { maxLength: 2 }),
      },
    ),
  }).map((parts) => service.token(parts));
  const spoilt = mutated(good.map((token) => encoder.encode(token)))
    .map((bytes) => [...bytes].map((byte) => String.fromCharCode(byte)).join(""));
  return { good, spoilt, rubbish: fc.stringMatching(/^[\x20-\x7e]{0,40}$/) };
}

/** A service with exports in it, and their ids; one of them is another owner's. */
async function openStory() {
  // Time stands still, so the rate must not count.
  const service = await openTestService({
    payloadBytesMax: BODY_BYTES,
    storedBytesPerDay: 1e12,
    openMax: { exports: 1e9, bytes: 1e12 },
    bounds: { requestsPerSecond: 1e9 },
  });
  const other = service.token({ identifier: "other" });
  const ids = [
    (await service.submit()).id,
    (await service.submit("[1]", { token: other })).id,
    crypto.randomUUID(),
  ];
  await service.worker.idle();
  return { service, ids };
}

/** What has happened must have left nothing, and harmed nothing. */
async function assertUnharmed(service: TestService): Promise<void> {
  await until(() => service.sockets.size === 0 && service.waiters.size === 0);
  await service.worker.idle();
  // The ends of leases are all that is left of time, and they do nothing.
  service.clock.advance(60_000);
  await service.worker.idle();
  assertEquals([service.clock.pending, service.waiters.size], [0, 0]);
  const failures = service.log.filter(({ event }) => /failed/.test(event));
  assertEquals(failures, []);
  assertEquals((await service.submit()).state, "Pending");
  await service.worker.idle();
}

Deno.test("whatever an app is asked, it answers without a failure, and leaves nothing behind", async () => {
  const { service, ids } = await openStory();
  await using _ = service;
  const { good, spoilt, rubbish } = arbitraryToken(service);
  const fitting = fc.constantFrom("the path's own");
  const request = fc.record({
    method: arbitraryMethod,
    path: arbitraryPath,
    headers: arbitraryHeaders,
    body: arbitraryBody({ ids, uris: URIS }),
    token: fc.oneof(
      { weight: 12, arbitrary: fitting },
      { weight: 2, arbitrary: good },
      { weight: 1, arbitrary: fc.oneof(spoilt, rubbish) },
    ),
    uri: fc.constantFrom(...URIS),
  });
  const run = longRun("requests to the app");
  const heap = new HeapWatch(run.numRuns);
  const refusals = new Set<string>();
  const seen = new Map<number, number>();
  await fc.assert(
    fc.asyncProperty(request, async ({ method, path, headers, body, token, uri }) => {
      const own = token === "the path's own";
      const key = own
        ? service.token({ method, path: path.replace(/\?.*/, "").slice(0, 99), destination: uri })
        : token;
      const asked = requestOf(`http://localhost${path}`, { method, headers, body, token: key });
      fc.pre(asked !== undefined);
      const response = await service.app.fetch(defined(asked));
      const text = await response.text();
      seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
      assert(response.status < 500, `${response.status} ${text}`);
      assertDiscreet(text + JSON.stringify([...response.headers]));
      if (response.status === 401) refusals.add(text + JSON.stringify([...response.headers]));
      service.log.length = 0;
      service.sent.length = 0;
      heap.tried();
    }),
    run,
  );
  assert(heap.growth < HEAP_GROWTH_MAX, "memory grows");
  assert(refusals.size <= 2, "nothing about why reaches the caller, HEAD or not");
  for (const status of [200, 400, 401, 404]) {
    assert(seen.has(status), `no answer was ${status}: ${[...seen]}`);
  }
  await assertUnharmed(service);
});

interface Asked {
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
  readonly token: string;
}

/** The request, unless the platform does not let anybody make it. */
function requestOf(url: string, { method, headers, body, token }: Asked): Request | undefined {
  try {
    const all = new Headers([["x-api-key", token]]);
    for (const [name, value] of headers) all.append(name, value);
    const bodyless = method === "GET" || method === "HEAD";
    const init = { method, headers: all, body: bodyless ? null : new Uint8Array(body) };
    return new Request(url, init);
  } catch {
    return undefined;
  }
}

/** Says `bytes` on a connection of its own; answers what came back until its end. */
async function converse(port: number, bytes: Uint8Array, turns = 0): Promise<Uint8Array> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for (;;) {
      const chunk = new Uint8Array(16_384);
      const read = await connection.read(chunk);
      if (read === null) return;
      chunks.push(chunk.subarray(0, read));
    }
  })().catch(() => {}); // The service may hang up on nonsense.
  try {
    for (let n = 0; n < bytes.length;) n += await connection.write(bytes.subarray(n));
    // How far the service gets before it hears the end is its own affair, within these turns.
    for (let n = 0; n < turns && chunks.length === 0; n++) {
      await new Promise((resolve) => setTimeout(resolve));
    }
    await connection.closeWrite();
  } catch {
    // As above.
  }
  await reading;
  return joined(...chunks);
}

Deno.test("whatever bytes a connection carries, the service answers without a failure", async () => {
  const { service, ids } = await openStory();
  await using _ = service;
  await using server = new SocketServer(service);
  const body = arbitraryBody({ ids, uris: URIS });
  const parts = fc.record({
    method: arbitraryMethod,
    path: arbitraryPath,
    headers: arbitraryHeaders,
    body,
    framing: fc.constantFrom("length", "length", "chunks", "none"),
  });
  const proper = parts.map(({ method, path, headers, body, framing }) => {
    const token = service.token({ method, path: path.replace(/\?.*/, "").slice(0, 99) });
    const lines = [["host", "localhost"], ["x-api-key", token], ...headers];
    if (framing === "length") lines.push(["content-length", `${body.length}`]);
    if (framing === "chunks") lines.push(["transfer-encoding", "chunked"]);
    const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    const chunk = framing === "chunks" ? `${body.length.toString(16)}\r\n` : "";
    const start = encoder.encode(`${method} ${path} HTTP/1.1\r\n${head}\r\n${chunk}`);
    return joined(start, body, encoder.encode(chunk === "" ? "" : "\r\n0\r\n\r\n"));
  });
  const bytes = fc.oneof(proper, mutated(proper), mutated(mutated(proper)), fc.uint8Array());
  const seen = new Set<number>();
  const { numRuns, seed } = longRun("a fifth as many connections");
  const heap = new HeapWatch(numRuns / 5);
  await fc.assert(
    fc.asyncProperty(bytes, async (bytes) => {
      const answer = decoder.decode(await converse(server.port, bytes, 5));
      for (const [, status] of answer.matchAll(/HTTP\/1\.[01] (\d+)/g)) {
        seen.add(Number(status));
        assert(Number(status) < 500, answer);
      }
      assertDiscreet(answer);
      service.log.length = 0;
      service.sent.length = 0;
      heap.tried();
    }),
    { numRuns: Math.ceil(numRuns / 5), seed },
  );
  assert(heap.growth < HEAP_GROWTH_MAX, "memory grows");
  for (const status of [200, 400, 401, 404]) {
    assert(seen.has(status), `no answer was ${status}: ${[...seen]}`);
  }
  await assertUnharmed(service);
});

/** What the service said on a socket in its own words: a pong and a Close repeat the client's. */
function textsOf(answer: Uint8Array): string {
  const [head = ""] = decoder.decode(answer).split("\r\n\r\n", 1);
  assert(head.startsWith("HTTP/1.1 101 ") || head === "", head);
  const texts = [head];
  let frame = parseFrame(answer.subarray(head.length + 4));
  for (; frame !== undefined; frame = parseFrame(frame.rest)) {
    if (frame.opcode === TEXT) texts.push(decoder.decode(frame.payload));
  }
  return texts.join("\n");
}

Deno.test("whatever frames a socket carries, the service answers without a failure", async () => {
  const { service, ids } = await openStory();
  await using _ = service;
  await using server = new SocketServer(service);
  const headers = Object.entries({ host: "localhost", "x-api-key": server.token(), ...UPGRADE })
    .map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const opening = encoder.encode(`GET /ws/export HTTP/1.1\r\n${headers}\r\n`);
  const frame = arbitraryFrame(arbitraryBody({ ids, uris: URIS }));
  const frames = fc.array(frame, { maxLength: 6 }).map((frames) => joined(...frames));
  let told = 0;
  const { numRuns, seed } = longRun("a twentieth as many sockets");
  const heap = new HeapWatch(numRuns / 20);
  await fc.assert(
    fc.asyncProperty(fc.oneof(frames, mutated(frames)), async (frames) => {
      const said = textsOf(await converse(server.port, joined(opening, frames), 2));
      assert(!/"status":5\d\d/.test(said), said);
      if (said.includes('"state":"')) told++;
      assertDiscreet(said);
      service.log.length = 0;
      service.sent.length = 0;
      heap.tried();
    }),
    { numRuns: Math.ceil(numRuns / 20), seed },
  );
  assert(heap.growth < HEAP_GROWTH_MAX, "memory grows");
  assert(told > 0, "no frame was good");
  await assertUnharmed(service);
});
