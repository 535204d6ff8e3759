/** The guard with a resolver that says what the test wants. */
import { assertEquals } from "@std/assert";
import { createGuard, type Resolve, systemResolve } from "../../src/egress/guard.ts";
import { DEFAULT_POLICY, type EgressPolicy } from "../../src/egress/policy.ts";
import { DESTINATION_CHARS_MAX, VERDICTS_MAX } from "../../src/limits.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const RESOLVE_TIMEOUT_MS = 5_000;

function guardWith(resolve: Resolve, allowLoopback = false) {
  const clock = new FakeClock();
  const policy = { ...DEFAULT_POLICY, allowLoopback };
  const parts = { policy, ownAddresses: () => [], resolve, clock };
  return { clock, guard: createGuard({ ...parts, resolveTimeoutMs: RESOLVE_TIMEOUT_MS }) };
}

/** A resolver that nobody may ask. */
const untouched: Resolve = (host) => {
  throw new Error(`Cannot resolve ${host}: this test resolves nothing`);
};

Deno.test("a permitted name comes with the very addresses that were checked", async () => {
  const answer = ["93.184.215.14", "2606:4700:4700::1111"];
  const asked: string[] = [];
  const { guard, clock } = guardWith((host) => {
    asked.push(host);
    return Promise.resolve(answer);
  });
  const uri = "https://API.example.com./hook";
  const vetted = await guard.vet(uri);
  assertEquals(vetted, { kind: "permitted", url: new URL(uri), addresses: answer });
  assertEquals(asked, ["api.example.com"]);
  assertEquals(clock.pending, 0);
});

Deno.test("a name is resolved anew at every attempt", async () => {
  const answers = [["93.184.215.14"], ["127.0.0.1"]];
  const { guard } = guardWith(() => Promise.resolve(answers.shift() ?? []));
  assertEquals((await guard.vet("https://flip.example/")).kind, "permitted");
  assertEquals(await guard.vet("https://flip.example/"), { kind: "refused", rule: "address" });
});

Deno.test("an address that becomes this machine's own is refused from then on", async () => {
  let own: readonly string[] = ["192.0.2.1"];
  const guard = createGuard({
    policy: DEFAULT_POLICY,
    ownAddresses: () => own,
    resolve: untouched,
    clock: new FakeClock(),
    resolveTimeoutMs: RESOLVE_TIMEOUT_MS,
  });
  const uri = "https://93.184.215.14/";
  const refused = { kind: "refused", rule: "address" } as const;
  // The second time the verdict on the text is known.
  for (let n = 0; n < 2; n++) assertEquals((await guard.vet(uri)).kind, "permitted");
  own = [...own, "93.184.215.14"];
  assertEquals([guard.check(uri), await guard.vet(uri)], [refused, refused]);
  own = ["192.0.2.1"];
  assertEquals((await guard.vet(uri)).kind, "permitted");
});

Deno.test("a name is refused for an address that becomes this machine's own while it is resolved", async () => {
  let own: readonly string[] = ["192.0.2.1"];
  const guard = createGuard({
    policy: DEFAULT_POLICY,
    ownAddresses: () => own,
    resolve() {
      own = [...own, "93.184.215.14"];
      return Promise.resolve(["93.184.215.14"]);
    },
    clock: new FakeClock(),
    resolveTimeoutMs: RESOLVE_TIMEOUT_MS,
  });
  const refused = { kind: "refused", rule: "address" };
  assertEquals(await guard.vet("https://api.example.com/"), refused);
});

Deno.test("a text is judged once, unless too many others were meanwhile; overlong ones do not count", () => {
  let judged = 0;
  const policy: EgressPolicy = {
    ...DEFAULT_POLICY,
    get schemes() {
      judged++;
      return DEFAULT_POLICY.schemes;
    },
  };
  const own: readonly string[] = [];
  const guard = createGuard({
    policy,
    ownAddresses: () => own,
    resolve: untouched,
    clock: new FakeClock(),
    resolveTimeoutMs: RESOLVE_TIMEOUT_MS,
  });
  const judgedFor = (uri: string) => {
    const before = judged;
    guard.check(uri);
    return judged - before;
  };
  const uri = "https://api.example.com/";
  assertEquals([judgedFor(uri), judgedFor(uri)], [1, 0]);
  const overlong = `${uri}${"x".repeat(DESTINATION_CHARS_MAX)}`;
  for (let n = 0; n < VERDICTS_MAX; n++) guard.check(`${overlong}${n}`);
  assertEquals(judgedFor(uri), 0);
  for (let n = 0; n < VERDICTS_MAX; n++) guard.check(`${uri}${n}`);
  assertEquals(judgedFor(uri), 1);
});

Deno.test("an address needs no resolver", async () => {
  const { guard } = guardWith(untouched);
  const uri = "https://[2606:4700:4700::1111]/";
  const addresses = ["2606:4700:4700::1111"];
  assertEquals(await guard.vet(uri), { kind: "permitted", url: new URL(uri), addresses });
  assertEquals(await guard.vet("https://127.1/"), { kind: "refused", rule: "address" });
});

Deno.test("what is refused for its text is not resolved", async () => {
  const { guard } = guardWith(untouched);
  const refused = { kind: "refused", rule: "scheme" } as const;
  assertEquals(guard.check("http://api.example.com/"), refused);
  assertEquals(await guard.vet("http://api.example.com/"), refused);
});

Deno.test("a name without an address is a DNS error", async () => {
  const { guard, clock } = guardWith(() => Promise.resolve([]));
  const expected = { kind: "unresolved", code: "dns_error" } as const;
  assertEquals(await guard.vet("https://gone.example/"), expected);
  assertEquals(clock.pending, 0);
});

Deno.test("a resolver that fails is a DNS error", async () => {
  const { guard, clock } = guardWith(() => Promise.reject(new Error("ENOTFOUND")));
  const expected = { kind: "unresolved", code: "dns_error" } as const;
  assertEquals(await guard.vet("https://gone.example/"), expected);
  assertEquals(clock.pending, 0);
});

Deno.test("a resolver that never answers is given up at its time limit", async () => {
  const { guard, clock } = guardWith(() => new Promise(() => {}));
  const vetting = guard.vet("https://slow.example/");
  clock.advance(RESOLVE_TIMEOUT_MS);
  assertEquals(await vetting, { kind: "unresolved", code: "timed_out" });
  assertEquals(clock.pending, 0);
});

Deno.test("a signal ends the wait for the resolver, before and while waiting", async () => {
  const { guard, clock } = guardWith(() => new Promise(() => {}));
  const expected = { kind: "unresolved", code: "timed_out" } as const;
  assertEquals(await guard.vet("https://slow.example/", AbortSignal.abort()), expected);
  const stop = new AbortController();
  const vetting = guard.vet("https://slow.example/", stop.signal);
  stop.abort();
  assertEquals(await vetting, expected);
  assertEquals(clock.pending, 0);
});

Deno.test("with loopback open, a name of this machine is permitted where all its addresses are", async () => {
  const { guard } = guardWith(() => Promise.resolve(["127.0.0.1", "::1"]), true);
  assertEquals((await guard.vet("http://dest.localhost:4444/")).kind, "permitted");
});

Deno.test("the machine's resolver knows localhost", async () => {
  const { guard } = guardWith(systemResolve, true);
  assertEquals((await guard.vet("http://localhost:4444/")).kind, "permitted");
});
