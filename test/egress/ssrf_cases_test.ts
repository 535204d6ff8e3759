/**
 * Every known way around the guard, through the real guard, the real resolver asking a name server
 * of the test, and sockets that are watched: what counts is where they went.
 */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../src/clock.ts";
import { egressPolicy } from "../../src/config.ts";
import { createGuard } from "../../src/egress/guard.ts";
import type { RequestResult } from "../../src/egress/request.ts";
import { isAddress } from "../../src/egress/cidr.ts";
import { hostOf } from "../../src/egress/spelling.ts";
import { startNameServer } from "../fakes/name_server.ts";
import { RULED_DESTINATIONS } from "../fixtures/ruled_destinations.ts";
import { type Internet, openInternet } from "./internet.ts";
import { PLENTY_MS, sendVetted } from "./sending.ts";
import { answersOf, type Case, COLLECTED, FURTHER, settingsOf } from "./ssrf_cases.ts";

/** The collections take http for permitted unless a case says otherwise; here it is opted into. */
const WITH_HTTP = { EXPORT_SCHEMES: "https,http" };
const HTTPS_ONLY = {};

const RULED: readonly string[] = RULED_DESTINATIONS.flatMap(({ cases }) => cases);

interface Told {
  readonly verdict: "allowed" | "blocked";
  readonly rules: readonly (string | undefined)[];
  readonly results: readonly RequestResult[];
}

/** An export as it goes: judged when it is accepted, then sent twice, as if it was tried again. */
async function run(each: Case, internet: Internet, others: Record<string, string>): Promise<Told> {
  const settings = settingsOf(each, others);
  if (!("EXPORT_EGRESS" in settings)) return { verdict: "blocked", rules: settings, results: [] };
  await using server = await startNameServer(answersOf(each));
  const guard = createGuard({
    policy: egressPolicy(settings),
    ownAddresses: () => ["192.168.77.77"],
    resolve: server.resolve,
    clock: systemClock,
    resolveTimeoutMs: PLENTY_MS,
  });
  const send = () => sendVetted(guard, { uri: each.url }, internet);
  const accepted = guard.check(each.url);
  const results = [await send(), await send()];
  const refusals = results.map((result) => result.kind === "failed" ? result.rule : undefined);
  const blocked = accepted.kind === "refused" || results.some(({ kind }) => kind === "failed");
  // What is refused when it is accepted is refused at each attempt too.
  if (accepted.kind === "refused") assertEquals(refusals, [accepted.rule, accepted.rule]);
  return { verdict: blocked ? "blocked" : "allowed", rules: refusals, results };
}

/** The addresses that a case may reach at an attempt, as sockets would have them. */
function addressesOf({ url, dns }: Case): readonly string[] {
  const host = hostOf(new URL(url));
  if (isAddress(host)) return [host];
  const follow = (name: string): readonly string[] =>
    (dns?.[name] ?? []).flatMap((each) => isAddress(each) ? [each] : follow(each));
  return follow(host);
}

async function assertAsExpected(each: Case, internet: Internet): Promise<void> {
  internet.reached.length = internet.heard.length = 0;
  const [status, location] = each.redirect?.split(" ") ?? ["200"];
  internet.answer = { status: Number(status), ...(location !== undefined && { location }) };
  const { verdict, rules, results } = await run(each, internet, WITH_HTTP);
  const expected = RULED.includes(each.id) ? "allowed" : each.expect;
  assertEquals(verdict, expected, JSON.stringify(results));
  if (each.rule !== undefined) assertEquals(rules.findLast((rule) => rule), each.rule);
  const permitted = results.filter(({ kind }) => kind === "answered");
  // A name that turns bad is reached while it is good, and only where it was good.
  if (expected === "blocked") assert(permitted.length <= (each.dns2 === undefined ? 0 : 1));
  assertEquals(internet.reached, permitted.map(() => addressesOf(each)));
  assertEquals(internet.heard, permitted.map(() => new URL(each.url).host));
  for (const result of permitted) {
    assert(result.kind === "answered" && result.status === internet.answer.status);
  }
}

for (const [name, cases] of Object.entries({ COLLECTED, FURTHER })) {
  Deno.test(`${name.toLowerCase()} ways around the guard lead nowhere, good destinations are reached`, async (t) => {
    await using internet = await openInternet();
    for (const each of cases) {
      await t.step(`${each.id}: ${each.why}`, () => assertAsExpected(each, internet));
    }
  });

  Deno.test(`${name.toLowerCase()} cases by http reach nothing unless it is opted into`, async () => {
    await using internet = await openInternet();
    for (const each of cases) {
      if (!/^http:/i.test(each.url) || each.policy?.schemes || each.policy?.loopback) continue;
      assertEquals((await run(each, internet, HTTPS_ONLY)).verdict, "blocked", each.id);
    }
    assertEquals([internet.reached, internet.heard], [[], []]);
  });
}

Deno.test("every ruled difference is a case, and every case has a name of its own", () => {
  const ids = [...COLLECTED, ...FURTHER].map(({ id }) => id);
  assertEquals(new Set(ids).size, ids.length);
  assertEquals(RULED.filter((id) => !ids.includes(id)), []);
});
