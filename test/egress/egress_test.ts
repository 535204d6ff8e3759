/** The room's face: what an app is told of a destination when its export is accepted. */
import { assertEquals } from "@std/assert";
import { DEFAULT_POLICY, type EgressPolicy } from "../../src/egress/policy.ts";
import { RESOLVE_TIMEOUT_MS } from "../../src/limits.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { createTestEgress, NEVER } from "../fakes/test_egress.ts";

function told(uri: string, policy: Partial<EgressPolicy> = {}) {
  const egress = createTestEgress({
    clock: new FakeClock(),
    policy: { ...DEFAULT_POLICY, ...policy },
    ownAddresses: () => ["192.168.7.7"],
    resolve: () => Promise.reject(new Error("Cannot resolve: nothing is asked for at acceptance")),
  });
  return egress.checkDestination(uri);
}

Deno.test("a destination that may be permissible is accepted without asking a name server", () => {
  assertEquals(told("https://a.example/"), { kind: "permitted" });
});

Deno.test("what is no URL is malformed; what is closed is refused by a rule, with advice", () => {
  const { kind } = told("https:a.example");
  assertEquals(kind, "malformed");
  assertEquals(told("https://a.example/", { mode: "listed" }), {
    kind: "refused",
    rule: "not_listed",
    detail: "`uri`: Ask the operator of this box to list the host: only listed ones are open. " +
      "Rule: not_listed.",
  });
  assertEquals(told("https://a.example:22/", { ports: [443] }), {
    kind: "refused",
    rule: "port",
    detail: "`uri`: Use port 443. Rule: port.",
  });
});

Deno.test("an app cannot tell why an address is closed: denied, own, core or private", () => {
  const denied = { allowCidrs: [], mode: "lan" } as const;
  const refusals = ["127.0.0.1", "169.254.169.254", "192.168.7.7", "203.0.113.1"]
    .map((address) => told(`https://${address}/`, denied));
  for (const refusal of refusals) assertEquals(refusal, refusals[0]);
});

Deno.test("a name server is waited for as long as its limit, however long an attempt may take", async () => {
  const clock = new FakeClock();
  const egress = createTestEgress({
    clock,
    resolve: () => new Promise(() => {}),
    attemptTimeoutMs: 10 * RESOLVE_TIMEOUT_MS,
  });
  const request = { uri: "https://slow.example/", headers: {}, body: new Uint8Array(1) };
  const sending = egress.send({ ...request, lane: "lane", signal: NEVER });
  clock.advance(RESOLVE_TIMEOUT_MS);
  const sent = await sending;
  assertEquals([sent.kind === "failed" && sent.code, clock.pending], ["timed_out", 0]);
});
