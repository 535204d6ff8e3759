/** The collection of known ways around a guard, each against ours. */
import { assertEquals } from "@std/assert";
import { createGuard } from "../../src/egress/guard.ts";
import cases from "../fixtures/ssrf-cases.json" with { type: "json" };
import { FakeClock } from "../fakes/fake_clock.ts";

type Answers = Readonly<Record<string, readonly string[]>>;
interface Case {
  readonly id: string;
  readonly url: string;
  readonly expect: string;
  readonly why: string;
  /** Answers to the first lookup, and to the second where it differs. */
  readonly dns?: Answers;
  readonly dns2?: Answers;
  /** What the destination answers. */
  readonly redirect?: string;
  readonly policy?: unknown;
}

// Its type is inferred per case, with an entry for every host there is.
const CASES = cases as readonly Case[];

/** Operator switches that do not exist yet: other networks, hosts and schemes opened or closed. */
const NOT_YET = ["S202", "S203", "S205", "S206", "S207", "S208", "S211", "S214"];

/** Judged as at acceptance and at two attempts; refused as soon as one of the three refuses. */
async function judge(url: string, { dns, dns2 }: Case): Promise<string> {
  let lookups = 0;
  const guard = createGuard({
    policy: { allowLoopback: false },
    resolve(host) {
      lookups++;
      return Promise.resolve((lookups > 1 ? dns2 ?? dns : dns)?.[host] ?? []);
    },
    clock: new FakeClock(),
    resolveTimeoutMs: 1_000,
  });
  const verdicts = [guard.check(url), await guard.vet(url), await guard.vet(url)];
  return verdicts.every(({ kind }) => kind === "permitted") ? "allowed" : "blocked";
}

Deno.test("every known way around the guard is closed, and good destinations stay open", async (t) => {
  for (const each of CASES) {
    if (each.policy !== undefined) continue;
    await t.step(`${each.id}: ${each.why}`, async () => {
      // A redirect is an answer like any other: its destination is permitted, its target is never
      // looked at. That no request follows it is shown in request_test.ts.
      const expected = each.redirect === undefined ? each.expect : "allowed";
      assertEquals(await judge(each.url, each), expected);
      // Refused not for its scheme alone.
      if (each.url.startsWith("http:")) {
        assertEquals(await judge(each.url.replace("http:", "https:"), each), expected);
      }
    });
  }
});

Deno.test("only the cases about operator switches wait for these", () => {
  const waiting = CASES.filter(({ policy }) => policy !== undefined).map(({ id }) => id);
  assertEquals(waiting, NOT_YET);
});
