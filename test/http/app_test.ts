/** The API as apps see it: the contract with its rulings. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { FORMER_KEY_HASHES_PER_SECOND } from "../../src/authorise/token_limits.ts";
import { HOST_FAILURES_MAX } from "../../src/limits.ts";
import { Fault } from "../fakes/faulty_kv.ts";
import { answered, DESTINATION, openTestService, type TestService } from "../fakes/test_service.ts";

const NEW = { id: "", uri: DESTINATION, data: "{}" };
const UNKNOWN = "11111111-2222-4333-8444-555555555555";

async function problemIn(
  response: Response,
): Promise<{ status: number; code: string; detail: string }> {
  const { status, headers } = response;
  assertEquals(headers.get("content-type"), "application/problem+json");
  const body = await response.json();
  assertEquals(body.status, status);
  return { status, code: body.type.split(":").at(-1), detail: body.detail ?? "" };
}

async function refusalsIn(service: TestService): Promise<unknown[]> {
  await service.ledger.close();
  const entries = await service.entries();
  return entries.filter(({ kind }) => kind === "export.refused").map(({ reason }) => reason);
}

Deno.test("a token is asked for before anything else: 401 comes before 404, 400 and 413", async () => {
  await using service = await openTestService();
  const requests: [string, RequestInit][] = [
    ["/nowhere", { method: "GET" }],
    ["/export", { method: "POST", body: "no json" }],
    ["/lp/export", { method: "POST", body: "x".repeat(5_000_000) }],
    ["/lp/export", { method: "DELETE" }],
  ];
  const bodies = new Set<string>();
  for (const [path, init] of requests) {
    const response = await service.app.request(path, init);
    assertEquals(response.status, 401, path);
    assertEquals(response.headers.get("www-authenticate"), "Macaroon");
    bodies.add(await response.text());
  }
  assertEquals(bodies.size, 1, "nothing about why reaches the caller");
});

Deno.test("every refused token gets the same answer, and its reason is in the ledger", async () => {
  await using service = await openTestService();
  const tokens = new Map([
    ["token_malformed", "rubbish"],
    ["signature_wrong", service.token({ secret: "another" })],
    ["path_wrong", service.token({ path: "/export" })],
    ["destination_wrong", service.token({ destination: "https://other.example/" })],
    ["caveat_missing", service.token({ destination: undefined })],
    ["caveat_unknown", service.token({ caveats: ["user = 7"] })],
    ["expired", service.token({ caveats: ["time < 2029-12-31T23:59:59Z"] })],
    ["too_many_bytes", service.token({ caveats: ["max_bytes = 1"] })],
  ]);
  const bodies = new Set<string>();
  for (const token of tokens.values()) {
    const response = await service.ask("/lp/export", NEW, { token });
    assertEquals(response.status, 401);
    bodies.add(await response.text());
  }
  assertEquals(bodies.size, 1);
  assertEquals(await refusalsIn(service), [...tokens.keys()]);
  assertEquals(service.sent, []);
});

Deno.test("a malformed body is 400 once the signature holds, whatever the destination caveat", async () => {
  await using service = await openTestService();
  const bodies = ["", "[", "[]", "{}", { ...NEW, data: {} }, { ...NEW, data: "7" }, {
    ...NEW,
    id: "no-uuid",
  }, { id: "", data: "{}" }];
  for (const body of bodies) {
    const { status, code, detail } = await problemIn(await service.ask("/lp/export", body));
    assertEquals([status, code], [400, "malformed_request"], JSON.stringify(body));
    assert(detail.length > 0);
  }
  const wrongKey = service.token({ secret: "another" });
  const response = await service.ask("/lp/export", "[", { token: wrongKey });
  assertEquals((await problemIn(response)).status, 401);
});

Deno.test("a valid token for an unknown path or method gets 404", async () => {
  await using service = await openTestService({ requiredCaveats: ["target"] });
  const token = service.token({ path: "/nowhere", destination: undefined });
  assertEquals((await problemIn(await service.ask("/nowhere", NEW, { token }))).status, 404);
});

Deno.test("Basic authentication carries the token as user name; X-Api-Key wins, even when wrong", async () => {
  await using service = await openTestService();
  const authorization = `Basic ${btoa(`${service.token()}:whatever`)}`;
  const init = { method: "POST", body: JSON.stringify(NEW) };
  const basic = await service.app.request("/lp/export", { ...init, headers: { authorization } });
  assertEquals(basic.status, 200);
  const headers = { authorization, "x-api-key": "wrong" };
  const both = await service.app.request("/lp/export", { ...init, headers });
  assertEquals(both.status, 401);
  await basic.body?.cancel();
  await both.body?.cancel();
});

Deno.test("both endpoints serve one queue, each with tokens of its own path", async () => {
  await using service = await openTestService();
  const response = await service.ask("/export", NEW);
  assertEquals(response.status, 200);
  const { id } = await response.json();
  await service.worker.idle();
  const other = await service.ask("/lp/export", { ...NEW, id: id.toUpperCase() });
  const receipt = await other.json();
  assertEquals([receipt.id, receipt.state], [id, "Finished"]);
});

Deno.test("a new export on /lp/export is answered at once, whatever its timeout", async () => {
  const never = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => never.promise });
  const token = service.token();
  const response = await service.ask("/lp/export?timeout=60", NEW, { token });
  assertEquals((await response.json()).state, "Pending");
  never.resolve(answered());
});

Deno.test("a long poll ends at its timeout with the present state: 5 s unless it says otherwise", async () => {
  const never = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => never.promise });
  const { id } = await service.submit();
  await service.until(id, "Processing");
  await waiting(service, 1); // the end of the lease
  for (
    const [query, ms] of [["", 5_000], ["?timeout=0.5", 500], ["?timeout=1e9", 60_000]] as const
  ) {
    const answer = service.ask(`/lp/export${query}`, { ...NEW, id }, { token: service.token() });
    await polling(service, 1);
    service.clock.advance(ms - 1);
    assertEquals(service.waiters.size, 1, "still waiting");
    service.clock.advance(1);
    assertEquals(service.waiters.size, 0);
    assertEquals((await (await answer).json()).state, "Processing");
  }
  for (const query of ["?timeout=0", "?timeout=-3"]) {
    const answer = await service.ask(`/lp/export${query}`, { ...NEW, id }, {
      token: service.token(),
    });
    assertEquals((await answer.json()).state, "Processing");
  }
  never.resolve(answered());
});

/** Resolves when so many polls wait. */
async function polling(service: TestService, polls: number): Promise<void> {
  while (service.waiters.size < polls) await new Promise((resolve) => setTimeout(resolve));
}

/** Resolves when the clock has `timers` timers. */
async function waiting(service: TestService, timers: number): Promise<void> {
  while (service.clock.pending < timers) await new Promise((resolve) => setTimeout(resolve));
}

Deno.test("several waiters on one export all get the answer, and nothing is left of them", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => arrival.promise });
  const { id } = await service.submit();
  await service.until(id, "Processing");
  const polls = Array.from(
    { length: 5 },
    () => service.ask("/lp/export", { ...NEW, id }, { token: service.token() }),
  );
  await polling(service, 5);
  arrival.resolve(answered("news"));
  for (const poll of polls) {
    assertEquals((await (await poll).json()).ext_response, { status: "200 OK", body: "news" });
  }
  assertEquals(service.waiters.size, 0);
  assertEquals(service.clock.pending, 1, "the end of the lease, and no poll's timeout");
});

Deno.test("a long poll wakes when the state turns to Processing, too", async () => {
  const first = Promise.withResolvers<SendResult>();
  const second = Promise.withResolvers<SendResult>();
  const answers = [first.promise, second.promise];
  await using service = await openTestService({
    destination: () => answers.shift() ?? answered(),
  });
  await service.submit();
  const { id } = await service.submit();
  const poll = service.ask("/lp/export", { ...NEW, id }, { token: service.token() });
  await polling(service, 1);
  first.resolve(answered());
  assertEquals((await (await poll).json()).state, "Processing");
  second.resolve(answered());
});

Deno.test("a long poll wakes when its export is claimed with the settling before it", async () => {
  const arrivals = [1, 2, 3].map(() => Promise.withResolvers<SendResult>());
  const left = arrivals.values();
  await using service = await openTestService({
    destination: () => left.next().value?.promise ?? answered(),
  });
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push((await service.submit()).id);
  const [, second = "", third = ""] = ids;
  arrivals[0]?.resolve(answered());
  // From here on the third is known to stand behind it.
  await service.until(second, "Processing");
  const poll = service.ask("/lp/export", { ...NEW, id: third }, { token: service.token() });
  await polling(service, 1);
  arrivals[1]?.resolve(answered());
  assertEquals((await (await poll).json()).state, "Processing");
  arrivals[2]?.resolve(answered());
});

Deno.test("a client that goes away leaves no waiter and no timer", async () => {
  const never = Promise.withResolvers<SendResult>();
  await using service = await openTestService({ destination: () => never.promise });
  const { id } = await service.submit();
  await service.until(id, "Processing");
  // The only timer is the end of the lease.
  await waiting(service, 1);
  const client = new AbortController();
  const init = { token: service.token(), signal: client.signal };
  const poll = service.ask("/lp/export", { ...NEW, id }, init).catch(() => {});
  await polling(service, 1);
  client.abort();
  await poll;
  assertEquals([service.waiters.size, service.clock.pending], [0, 1]);
  never.resolve(answered());
});

Deno.test("another owner's id and an unknown id are the same 404", async () => {
  await using service = await openTestService();
  const { id } = await service.submit();
  const other = service.token({ path: "/export", identifier: "other" });
  const narrow = service.token({ path: "/export", caveats: ["max_bytes = 1"] });
  const ask = async (id: string, token: string) => {
    const response = await service.ask("/export", { ...NEW, id }, { token });
    const headers = JSON.stringify([...response.headers]);
    return [response.status, headers, (await response.text()).replace(id, "ID")];
  };
  const unknown = await ask(UNKNOWN, other);
  assertEquals(unknown[0], 404);
  assertEquals(await ask(id, other), unknown);
  assertEquals(await ask(id, narrow), unknown, "nor may a token that could not have submitted it");
});

Deno.test("a token of the same identifier and destination reads what another one submitted", async () => {
  await using service = await openTestService();
  const { id } = await service.submit("{}", {
    token: service.token({ caveats: ["max_bytes = 99"] }),
  });
  assertEquals((await service.poll(id)).id, id);
});

Deno.test("a percent-encoded path is the path that it says, for the token and for routing", async () => {
  await using service = await openTestService();
  const ask = async (path: string) => {
    const response = await service.ask(path, NEW, { token: service.token() });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await ask("/lp/%65xport"), 200);
  for (
    const path of ["/%65xport", "/lp%2Fexport", "/lp/export%3F", "/lp/export%", "/lp%2f%65xport"]
  ) {
    assertEquals(await ask(path), 401, path);
  }
});

Deno.test("of a refused destination the host is told, unless that is too long to be parsed", async () => {
  await using service = await openTestService();
  const pad = "x".repeat(3_000);
  const hosts = [
    ["https://b.example/", "b.example"],
    [`https://b.example/${pad}`, "b.example"],
    [`https://b.example?${pad}`, "b.example"],
    [`https://b.example.${pad}/`, ""],
    [`https://b.example:${pad}@c.example/`, ""],
  ] as const;
  for (const [uri] of hosts) {
    assertEquals((await service.ask("/lp/export", { ...NEW, uri })).status, 401);
  }
  await service.ledger.close();
  const refused = (await service.entries()).filter(({ kind }) => kind === "export.refused");
  assertEquals(refused.map(({ host }) => host), hosts.map(([, host]) => host));
});

Deno.test("a refusal takes little room in the ledger and the log, whatever was asked", async () => {
  await using service = await openTestService();
  const long = "x".repeat(70_000);
  const uri = `x://${long}/`;
  assertEquals((await service.ask("/lp/export", { ...NEW, uri })).status, 401);
  const method = "secret".repeat(10_000);
  assertEquals((await service.app.request("/lp/export", { method })).status, 401);
  const path = `/${"secret".repeat(1_000)}`;
  assertEquals((await service.app.request(path, { method: "POST" })).status, 401);
  assertEquals(await refusalsIn(service), ["destination_wrong", "token_missing", "token_missing"]);
  for (const text of [JSON.stringify(service.log), JSON.stringify(await service.entries())]) {
    assert(text.length < 2_000, `${text.length} characters`);
    assert(!text.includes("secret"), "a method and a path can hold anything");
  }
});

Deno.test("a poll must name the destination that its token is for", async () => {
  await using service = await openTestService();
  const { id } = await service.submit();
  const token = service.token({ path: "/export" });
  const response = await service.ask("/export", { ...NEW, id, uri: "https://b.example/" }, {
    token,
  });
  assertEquals((await problemIn(response)).status, 401);
});

Deno.test("data of the limit is accepted, a byte more is 413", async () => {
  await using service = await openTestService({ payloadBytesMax: 100 });
  const data = (bytes: number) => JSON.stringify(["x".repeat(bytes - 4)]);
  assertEquals((await service.submit(data(100))).state, "Pending");
  const over = await problemIn(await service.ask("/lp/export", { ...NEW, data: data(101) }));
  assertEquals([over.status, over.code], [413, "too_large"]);
  assertMatch(over.detail, /100 bytes/);
  const far = await problemIn(
    await service.ask("/lp/export", { ...NEW, more: "x".repeat(99_999) }),
  );
  assertEquals(far.status, 413);
});

Deno.test("a destination that is not permitted is 403 with its rule, one that is no URL 400", async () => {
  await using service = await openTestService();
  const ask = async (uri: string) => {
    const token = service.token({ destination: uri });
    return await problemIn(await service.ask("/lp/export", { ...NEW, uri }, { token }));
  };
  for (const uri of ["http://a.example/", "https://127.0.0.1/", "https://arbiter:4444/"]) {
    const { status, code, detail } = await ask(uri);
    assertEquals([status, code], [403, "destination_refused"], uri);
    assert(detail.startsWith("`uri`: "));
  }
  for (const uri of ["", "nonsense", "https://"]) assertEquals((await ask(uri)).status, 400, uri);
  assertEquals(service.sent, []);
  assertEquals((await refusalsIn(service)).length, 3);
});

Deno.test("an Idempotency-Key makes a client's retry safe", async () => {
  await using service = await openTestService();
  const headers = { "idempotency-key": "8e03978e-40d5-43e8-bc93-6894a57f9324" };
  const first = await service.submit("[1]", { headers });
  await service.worker.idle();
  assertEquals(await service.submit("[1]", { headers }), await service.poll(first.id));
  const conflict = await service.ask("/lp/export", { ...NEW, data: "[2]" }, { headers });
  assertEquals((await problemIn(conflict)).status, 409);
  const fresh = await service.submit("[1]", { headers, token: service.token({ identifier: "b" }) });
  assert(fresh.id !== first.id, "keys are the owner's");
  const bad = await service.ask("/lp/export", NEW, { headers: { "idempotency-key": "a b" } });
  assertEquals((await problemIn(bad)).status, 400);
  await service.worker.idle();
  assertEquals(service.sent.length, 2);
});

Deno.test("an Idempotency-Key is remembered for 24 hours, and no longer", async () => {
  await using service = await openTestService({ retentionMs: 48 * 3_600_000 });
  const headers = { "idempotency-key": "k" };
  const { id } = await service.submit("[1]", { headers });
  await service.worker.idle();
  service.clock.advance(24 * 3_600_000 - 1);
  assertEquals((await service.submit("[1]", { headers })).id, id);
  service.clock.advance(1);
  assert((await service.submit("[1]", { headers })).id !== id);
  await service.worker.idle();
  assertEquals(service.sent.length, 2);
});

Deno.test("an Idempotency-Key that comes with another destination is a conflict", async () => {
  await using service = await openTestService({ requiredCaveats: ["target", "path", "method"] });
  // Only such a token is one owner's at both.
  const token = service.token({ destination: undefined });
  const headers = { "idempotency-key": "k" };
  await service.submit("[1]", { token, headers });
  const uri = "https://other.example/";
  const other = await service.ask("/lp/export", { id: "", uri, data: "[1]" }, { token, headers });
  const { status, code } = await problemIn(other);
  assertEquals([status, code], [409, "idempotency_conflict"]);
  await service.worker.idle();
  assertEquals(service.sent.length, 1);
});

Deno.test("a key that is remembered longer than its export's result sends nothing again, and says so", async () => {
  await using service = await openTestService({ retentionMs: 3_600_000 });
  const headers = { "idempotency-key": "k" };
  const { id } = await service.submit("[1]", { headers });
  await service.worker.idle();
  service.clock.advance(3_600_001);
  const late = await problemIn(
    await service.ask("/lp/export", { ...NEW, data: "[1]" }, { headers }),
  );
  assertEquals([late.status, late.code], [409, "idempotency_conflict"]);
  assert(late.detail.includes(id) && late.detail.includes("use a new key"), late.detail);
  await service.worker.idle();
  assertEquals(service.sent.length, 1);
});

Deno.test("without a root key every token is answered 503, and the service is not ready", async () => {
  await using service = await openTestService({ secrets: [] });
  const response = await service.ask("/lp/export", NEW);
  assertEquals(response.headers.get("retry-after"), "5");
  assertEquals((await problemIn(response)).code, "root_key_unavailable");
  assertEquals((await problemIn(await service.app.request("/health/ready"))).code, "not_ready");
  const live = await service.app.request("/health/live");
  assertEquals(await live.json(), { status: "live" });
});

Deno.test("while only former root keys are known, their tokens hold, and who knows of the others", async () => {
  await using service = await openTestService({ secrets: ["old"], keysComplete: false });
  const former = await service.ask("/lp/export", NEW, { token: service.token({ secret: "old" }) });
  assertEquals(former.status, 200);
  await former.body?.cancel();
  const present = await service.ask("/lp/export", NEW, { token: service.token({ secret: "new" }) });
  assertEquals(present.headers.get("retry-after"), "5");
  assertEquals((await problemIn(present)).code, "root_key_unavailable");
  const expired = service.token({ secret: "old", caveats: ["time < 2000-01-01T00:00:00Z"] });
  for (const token of [expired, "nonsense"]) {
    const refused = await service.ask("/lp/export", NEW, { token });
    assertEquals((await problemIn(refused)).code, "unauthorised");
  }
  assertEquals((await problemIn(await service.app.request("/health/ready"))).code, "not_ready");
});

Deno.test("tokens of a former root key hold as long as it is kept", async () => {
  await using service = await openTestService({ secrets: ["new", "old"] });
  for (const secret of ["new", "old"]) {
    const response = await service.ask("/lp/export", NEW, { token: service.token({ secret }) });
    assertEquals(response.status, 200);
    await response.body?.cancel();
  }
});

Deno.test("a store that fails is a 503 that says when to come back, and nothing is half accepted", async () => {
  const wrap = new Fault("crashes", 1);
  await using service = await openTestService({ wrap });
  const response = await service.ask("/lp/export", NEW);
  assertEquals(response.headers.get("retry-after"), "5");
  assertEquals((await problemIn(response)).code, "store_unavailable");
  assertEquals((await problemIn(await service.app.request("/health/ready"))).code, "not_ready");
  wrap.disarm();
  service.clock.advance(1_000);
  assertEquals((await service.app.request("/health/ready")).status, 200);
  assertEquals(await service.entries(), []);
});

Deno.test("why the store takes no writes is in the log once a minute, however often it is asked", async () => {
  await using service = await openTestService();
  const told = () => service.log.filter(({ event }) => event === "store.failed");
  service.ledger.probe = () => Promise.reject(new Error("The disk is full"));
  for (let second = 0; second < 60; second++) {
    await (await service.app.request("/health/ready")).body?.cancel();
    service.clock.advance(1_000);
  }
  assertEquals(told().map(({ error }) => String(error)), ["Error: The disk is full"]);
  await (await service.app.request("/health/ready")).body?.cancel();
  assertEquals(told().length, 2);
  service.clock.jump(-3_600_000);
  await (await service.app.request("/health/ready")).body?.cancel();
  assertEquals(told().length, 3);
});

Deno.test("however many ask whether it is ready, the store is written to once a second", async () => {
  await using service = await openTestService();
  let probes = 0;
  const { probe } = service.ledger;
  service.ledger.probe = () => {
    probes++;
    return probe.call(service.ledger);
  };
  const askTwenty = async () => {
    const asked = Array.from({ length: 20 }, () => service.app.request("/health/ready"));
    return (await Promise.all(asked)).map(({ status }) => status);
  };
  const ready = Array(20).fill(200);
  assertEquals([await askTwenty(), await askTwenty(), probes], [ready, ready, 1]);
  service.clock.advance(999);
  assertEquals([await askTwenty(), probes], [ready, 1]);
  service.clock.advance(1);
  assertEquals([await askTwenty(), probes], [ready, 2]);
  service.clock.jump(-60_000);
  assertEquals([await askTwenty(), probes], [ready, 3]);
});

Deno.test("a store that does not answer within 2 s is not ready", async () => {
  await using service = await openTestService();
  const asked = Promise.withResolvers<void>();
  service.ledger.probe = () => {
    asked.resolve();
    return new Promise(() => {});
  };
  const answer = service.app.request("/health/ready");
  await asked.promise;
  service.clock.advance(2_000);
  const { status, code } = await problemIn(await answer);
  assertEquals([status, code, service.clock.pending], [503, "not_ready", 0]);
  const told = service.log.map(({ event, error }) => `${event}: ${error}`);
  assertEquals(told, ["store.failed: Error: The store did not answer within 2000 ms"]);
});

Deno.test("whoever asks whether it is ready is told how many hosts are unreachable, if any are", async () => {
  await using service = await openTestService({
    destination: () => ({ kind: "failed", code: "connection_refused" }),
  });
  const readiness = async () => await (await service.app.request("/health/ready")).json();
  assertEquals(await readiness(), { status: "ready" });
  for (let owner = 0; owner < HOST_FAILURES_MAX; owner++) {
    await service.submit("{}", { token: service.token({ identifier: `${owner}` }) });
  }
  await service.worker.idle();
  assertEquals(await readiness(), { status: "ready", unreachable_hosts: 1 });
});

Deno.test("no line of the log holds a token, a payload or a query string", async () => {
  await using service = await openTestService();
  const uri = "https://destination.example/in?secret=query";
  const token = service.token({ destination: uri });
  await service.submit('["secret payload"]', { uri, token });
  await service.ask("/lp/export", { id: "", uri, data: "nonsense secret" }, { token });
  await service.ask("/lp/export?secret=1", { id: "", uri, data: "{}" }, { token: "secret" });
  await service.worker.idle();
  const log = JSON.stringify(service.log);
  for (const event of ["export.accepted", "delivery.attempted", "export.refused"]) {
    assert(log.includes(event), event);
  }
  assert(!log.includes("secret") && !log.includes(token.slice(0, 16)));
});

Deno.test("wrong tokens by the thousand keep no processor: those not tried by former keys get 503", async () => {
  const secrets = ["present", ...Array.from({ length: 32 }, (_, n) => `former ${n}`)];
  await using service = await openTestService({ secrets, keysComplete: true });
  const remembered = service.token({ secret: "former 31" });
  await (await service.ask("/lp/export", NEW, { token: remembered })).body?.cancel();
  const statuses = new Map<number, number>();
  for (let n = 0; n < 200; n++) {
    const token = service.token({ secret: "nobody's", destination: `https://example.org/${n}` });
    const { status } = await problemIn(await service.ask("/lp/export", NEW, { token }));
    statuses.set(status, 1 + (statuses.get(status) ?? 0));
  }
  // Five hashes for each of 32 former keys; the last one may be cut short on the way.
  const tried = Math.floor((FORMER_KEY_HASHES_PER_SECOND - 5 * 32) / (5 * 32));
  assertEquals(Object.fromEntries(statuses), { 401: tried, 503: 200 - tried });
  for (const token of [service.token({ secret: "present" }), remembered]) {
    const response = await service.ask("/lp/export", NEW, { token });
    assertEquals(response.status, 200);
    await response.body?.cancel();
  }
});
