/** Asking until there is a secret, on a clock that stands still and a real store. */
import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import fc from "fast-check";
import { ARBITER_BACKOFF_CAP_MS, FORMER_SECRETS_MAX } from "../../src/arbiter/arbiter_limits.ts";
import { failed, type FetchedSecret } from "../../src/arbiter/fetched_secret.ts";
import type { KeptSecret } from "../../src/arbiter/kept_secrets.ts";
import { DEFAULTS } from "../../src/limits.ts";
import type { ArbiterSecretsParts } from "../../src/arbiter/arbiter_secrets.ts";
import { KvSecrets } from "../../src/ledger/kv_secrets.ts";
import { keys } from "../../src/ledger/keys.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { Fault, faultyKv } from "../fakes/faulty_kv.ts";
import { AskingService } from "./asking_service.ts";

type Answer = ArbiterSecretsParts["fetchSecret"];

const telling = (secret: string): Answer => () => Promise.resolve({ kind: "secret", secret });
const failing: Answer = () => Promise.resolve(failed("unavailable", "The arbiter answered 163"));
/** An arbiter that says nothing, asked by somebody who heeds the signal. */
const silent: Answer = (signal) =>
  new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(failed("stopped", "The attempt was stopped")))
  );

/** The answers one after the other, the last one again and again. */
function answering(...answers: readonly Answer[]): Answer {
  let given = 0;
  return (signal) => (answers[given++] ?? answers.at(-1) ?? silent)(signal);
}

async function withKv(test: (kv: Deno.Kv) => Promise<void>): Promise<void> {
  const kv = await Deno.openKv(":memory:");
  try {
    await test(kv);
  } finally {
    kv.close();
  }
}

Deno.test("the secret is asked for once, kept, and good for ever", () =>
  withKv(async (kv) => {
    await using service = new AskingService(kv, answering(telling("present")));
    await service.secrets.start();
    assertEquals(service.secrets.ready, false);
    const { event, attempt, former } = await service.line(1);
    assertEquals([event, attempt, former], ["root_key.obtained", 1, 0]);
    assertEquals([service.secrets.ready, service.secrets.secrets()], [true, ["present"]]);
    assertEquals(await service.kept(), [{ secret: "present" }]);
    service.clock.advance(10 * DEFAULTS.secretGraceMs);
    assertEquals(service.secrets.secrets(), ["present"]);
    assertEquals([service.asked, service.clock.pending], [1, 0]);
  }));

Deno.test("after each failure it is asked again, never before the delay is over", () =>
  withKv(async (kv) => {
    const answers = [...Array(7).fill(failing), telling("at last")];
    await using service = new AskingService(kv, answering(...answers));
    await service.secrets.start();
    const delays: unknown[] = [];
    for (let failures = 1; failures <= 7; failures++) {
      const { event, attempt, code, detail, endpoint, retryMs } = await service.line(failures);
      assertEquals([event, attempt, code], ["root_key.failed", failures, "unavailable"]);
      assertEquals(endpoint, "tcp://arbiter:4444");
      assertEquals(detail, "The arbiter answered 163");
      delays.push(retryMs);
      assertEquals([service.asked, service.secrets.ready], [failures, false]);
      service.clock.advance(Number(retryMs) - 1);
      assertEquals(service.clock.pending, 1);
      service.clock.advance(1);
    }
    // Half of a bound that doubles up to its cap.
    assertEquals(delays, [250, 500, 1_000, 2_000, 2_500, 2_500, 2_500]);
    assertEquals((await service.line(8)).attempt, 8);
    assertEquals([service.secrets.secrets(), service.clock.pending], [["at last"], 0]);
  }));

Deno.test("whatever chance says, a delay is within its bound, and after a thousand failures at most the cap", () =>
  withKv(async (kv) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }),
        fc.constantFrom(1, 3, 20, 1_100),
        async (chances, failures) => {
          let rolls = 0;
          const random = () => chances[rolls++ % chances.length] ?? 0;
          await using service = new AskingService(kv, answering(failing), { random });
          await service.secrets.start();
          for (let failure = 1; failure <= failures; failure++) {
            const retryMs = Number((await service.line(failure)).retryMs);
            const bound = Math.min(ARBITER_BACKOFF_CAP_MS, 500 * 2 ** (failure - 1));
            assert(Number.isInteger(retryMs) && retryMs >= 0 && retryMs <= bound, `${retryMs}`);
            if (failure < failures) service.passDelay();
          }
          await service.secrets.stop();
          assertEquals([service.asked, service.clock.pending], [failures, 0]);
        },
      ),
      { numRuns: 20 },
    );
  }));

Deno.test("an attempt that throws is a failure like any other, and its message is not told", () =>
  withKv(async (kv) => {
    const throwing: Answer = () => Promise.reject(new TypeError("sesame"));
    const atOnce: Answer = () => {
      throw new RangeError("sesame");
    };
    await using service = new AskingService(kv, answering(throwing, atOnce, telling("present")));
    await service.secrets.start();
    for (const [count, detail] of [[1, "TypeError"], [2, "RangeError"]] as const) {
      const line = await service.line(count);
      assertEquals([line.code, line.detail], ["unexpected", detail]);
      service.passDelay();
    }
    assertEquals((await service.line(3)).event, "root_key.obtained");
  }));

for (const [kind, nth] of [["fails", 2], ["fails", 3], ["lies", 3]] as const) {
  Deno.test(`a store that ${kind} at call ${nth} does not make it ask again`, () =>
    withKv(async (kv) => {
      // The first call loads; keeping reads, then writes.
      const fault = new Fault(kind, nth);
      fault.arm();
      const store = new KvSecrets(faultyKv(kv, fault));
      const answers = answering(telling("first"), telling("second"));
      await using service = new AskingService(kv, answers, { store });
      await service.secrets.start();
      const { event, code, detail } = await service.line(1);
      assertEquals([event, code, detail], ["root_key.failed", "store_failed", "TypeError"]);
      // What is not kept would be forgotten by a crash, and its tokens with it.
      assertEquals([service.secrets.ready, service.secrets.secrets()], [false, []]);
      service.passDelay();
      assertEquals((await service.line(2)).attempt, 2);
      assertEquals([service.asked, service.secrets.ready], [1, true]);
      assertEquals(service.secrets.secrets(), ["first"]);
      assertEquals(await service.kept(), [{ secret: "first" }]);
    }));
}

Deno.test("a store that cannot be read stops the start: nothing is asked, nothing written over", () =>
  withKv(async (kv) => {
    await using service = new AskingService(kv, answering(telling("present")));
    await kv.set(keys.secrets(), "something else");
    await assertRejects(() => service.secrets.start(), Error, "Cannot read the former secrets");
    await service.secrets.stop();
    assertEquals([service.asked, service.lines], [0, []]);
    assertEquals((await kv.get(keys.secrets())).value, "something else");
  }));

Deno.test("from start to start the former secrets stay good, first those of before, then the new one too", () =>
  withKv(async (kv) => {
    const clock = new FakeClock();
    for (
      const [secret, before, after] of [
        ["a", [], ["a"]],
        ["b", ["a"], ["b", "a"]],
        ["b", ["b", "a"], ["b", "a"]],
        ["c", ["b", "a"], ["c", "b", "a"]],
      ] as const
    ) {
      const answer = Promise.withResolvers<FetchedSecret>();
      await using service = new AskingService(kv, answering(() => answer.promise), { clock });
      await service.secrets.start();
      assertEquals([service.secrets.ready, service.secrets.secrets()], [false, [...before]]);
      answer.resolve({ kind: "secret", secret });
      assertEquals((await service.line(1)).former, after.length - 1);
      assertEquals(service.secrets.secrets(), [...after]);
      await service.secrets.stop();
      clock.advance(1_000);
    }
  }));

Deno.test("a former secret is good to the end of its grace, also while the service runs", () =>
  withKv(async (kv) => {
    await using service = new AskingService(kv, answering(telling("present")));
    const formerSince = service.clock.now() - 1_000;
    await new KvSecrets(kv).keep([{ secret: "before" }, { secret: "earlier", formerSince }]);
    await service.secrets.start();
    await service.line(1);
    service.clock.advance(DEFAULTS.secretGraceMs - 1_001);
    assertEquals(service.secrets.secrets(), ["present", "before", "earlier"]);
    service.clock.advance(1);
    assertEquals(service.secrets.secrets(), ["present", "before"]);
    service.clock.advance(1_000);
    assertEquals(service.secrets.secrets(), ["present"]);
  }));

Deno.test("there are never more former secrets than the most, in the store and out of it", () =>
  withKv(async (kv) => {
    for (let start = 0; start < FORMER_SECRETS_MAX + 3; start++) {
      await using service = new AskingService(kv, answering(telling(`secret ${start}`)));
      await service.secrets.start();
      await service.line(1);
      await service.secrets.stop();
      const most = Math.min(start, FORMER_SECRETS_MAX) + 1;
      assertEquals([service.secrets.secrets().length, (await service.kept()).length], [most, most]);
      assertEquals(service.secrets.secrets()[0], `secret ${start}`);
    }
  }));

Deno.test("stopped while it asks or waits, it leaves neither a timer nor a line", () =>
  withKv(async (kv) => {
    for (const [answer, lines] of [[silent, 0], [failing, 1]] as const) {
      await using service = new AskingService(kv, answering(answer));
      await service.secrets.start();
      await service.line(lines);
      await service.secrets.stop();
      assertEquals([service.clock.pending, service.asked, service.lines.length], [0, 1, lines]);
      service.clock.advance(ARBITER_BACKOFF_CAP_MS);
      await service.secrets.stop();
      assertEquals([service.asked, service.lines.length], [1, lines]);
    }
  }));

Deno.test("stopped before it starts, it asks nothing, and has what was kept", () =>
  withKv(async (kv) => {
    await using service = new AskingService(kv, answering(telling("present")));
    await new KvSecrets(kv).keep([{ secret: "before" }]);
    await service.secrets.stop();
    await service.secrets.start();
    assertEquals([service.asked, service.secrets.ready], [0, false]);
    assertEquals(service.secrets.secrets(), ["before"]);
  }));

Deno.test("a secret that comes just as it stops is kept before it has stopped", () =>
  withKv(async (kv) => {
    const answer = Promise.withResolvers<FetchedSecret>();
    await using service = new AskingService(kv, answering(() => answer.promise));
    await service.secrets.start();
    const stopped = service.secrets.stop();
    answer.resolve({ kind: "secret", secret: "just now" });
    await stopped;
    assertEquals(await service.kept(), [{ secret: "just now" }]);
  }));

Deno.test("no line has a secret in it, whatever failed", () =>
  withKv(async (kv) => {
    const fault = new Fault("fails", 3);
    fault.arm();
    const inner = new KvSecrets(faultyKv(kv, fault));
    const store = {
      load: () => inner.load(),
      keep: (secrets: readonly KeptSecret[]) =>
        inner.keep(secrets).catch((error) => {
          throw new Error(`Cannot keep ${JSON.stringify(secrets)}`, { cause: error });
        }),
    };
    const throwing: Answer = () => Promise.reject(new Error("sesame"));
    const answers = answering(throwing, failing, telling("sesame"));
    await using service = new AskingService(kv, answers, { store });
    await service.secrets.start();
    for (const count of [1, 2, 3]) {
      await service.line(count);
      service.passDelay();
    }
    assertEquals((await service.line(4)).event, "root_key.obtained");
    assertEquals(service.secrets.secrets(), ["sesame"]);
    assertFalse(JSON.stringify(service.lines).includes("sesame"));
  }));
