/** Asking until there is a secret, on a clock that stands still and a real store. */
import { assert, assertEquals, assertFalse, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  ARBITER_BACKOFF_BASE_MS,
  ARBITER_BACKOFF_CAP_MS,
  FORMER_SECRETS_MAX,
} from "../../src/arbiter/arbiter_limits.ts";
import { failed, type FetchedSecret } from "../../src/arbiter/fetched_secret.ts";
import type { KeptSecret } from "../../src/arbiter/kept_secrets.ts";
import { RootKeys, type RootKeysParts } from "../../src/arbiter/root_keys.ts";
import { KvSecrets } from "../../src/ledger/kv_secrets.ts";
import { keys } from "../../src/ledger/keys.ts";
import { jsonLog } from "../../src/log.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { Fault, faultyKv } from "../fakes/faulty_kv.ts";

const POLICY: RootKeysParts["policy"] = {
  graceMs: 7 * 86_400_000,
  formerMax: FORMER_SECRETS_MAX,
  backoffBaseMs: ARBITER_BACKOFF_BASE_MS,
  backoffCapMs: ARBITER_BACKOFF_CAP_MS,
};

type Answer = (signal: AbortSignal) => Promise<FetchedSecret>;

const telling = (secret: string): Answer => () => Promise.resolve({ kind: "secret", secret });
const failing: Answer = () => Promise.resolve(failed("unavailable", "The arbiter answered 163"));
/** An arbiter that says nothing, asked by somebody who heeds the signal. */
const silent: Answer = (signal) =>
  new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(failed("stopped", "The attempt was stopped")))
  );

class World implements Disposable {
  readonly clock = new FakeClock();
  readonly lines: Record<string, unknown>[] = [];
  readonly kv: Deno.Kv;
  readonly keys: RootKeys;
  asked = 0;
  #onLine = () => {};

  constructor(kv: Deno.Kv, answers: readonly Answer[], parts: Partial<RootKeysParts> = {}) {
    this.kv = kv;
    const write = (line: string) => {
      this.lines.push(JSON.parse(line));
      this.#onLine();
    };
    this.keys = new RootKeys({
      // The last answer is given again and again.
      fetchSecret: (signal) => (answers[this.asked++] ?? answers.at(-1) ?? silent)(signal),
      store: new KvSecrets(kv),
      clock: this.clock,
      random: () => 0.5,
      log: jsonLog(write, () => this.clock.now()),
      policy: POLICY,
      ...parts,
    });
  }

  /** The newest line, once there are `count`. */
  async line(count: number): Promise<Record<string, unknown>> {
    while (this.lines.length < count) {
      await new Promise<void>((resolve) => this.#onLine = resolve);
    }
    assertEquals(this.lines.length, count);
    return this.lines[count - 1] ?? {};
  }

  /** Lets the delay pass that the newest line told. */
  passDelay(): void {
    this.clock.advance(Number(this.lines.at(-1)?.retryMs));
  }

  async kept(): Promise<readonly KeptSecret[]> {
    return await new KvSecrets(this.kv).load();
  }

  [Symbol.dispose](): void {
    this.kv.close();
  }
}

async function world(...args: [readonly Answer[], Partial<RootKeysParts>?]): Promise<World> {
  return new World(await Deno.openKv(":memory:"), ...args);
}

Deno.test("the secret is asked for once, kept, and good for ever", async () => {
  using it = await world([telling("present")]);
  await it.keys.start();
  assertEquals(it.keys.ready, false);
  const { event, attempt, former } = await it.line(1);
  assertEquals([event, attempt, former], ["root_key.obtained", 1, 0]);
  assertEquals([it.keys.ready, it.keys.secrets()], [true, ["present"]]);
  assertEquals(await it.kept(), [{ secret: "present" }]);
  it.clock.advance(10 * POLICY.graceMs);
  assertEquals([it.asked, it.clock.pending, it.keys.secrets()], [1, 0, ["present"]]);
  await it.keys.stop();
});

Deno.test("after each failure it is asked again, never before the delay is over", async () => {
  using it = await world([...Array(7).fill(failing), telling("at last")]);
  await it.keys.start();
  const delays: unknown[] = [];
  for (let failures = 1; failures <= 7; failures++) {
    const { event, attempt, code, detail, retryMs } = await it.line(failures);
    assertEquals([event, attempt, code], ["root_key.failed", failures, "unavailable"]);
    assertEquals(detail, "The arbiter answered 163");
    delays.push(retryMs);
    assertEquals([it.asked, it.clock.pending, it.keys.ready], [failures, 1, false]);
    it.clock.advance(Number(retryMs) - 1);
    assertEquals(it.clock.pending, 1);
    it.clock.advance(1);
  }
  // Half of a bound that doubles up to its cap.
  assertEquals(delays, [250, 500, 1_000, 2_000, 4_000, 7_500, 7_500]);
  assertEquals((await it.line(8)).attempt, 8);
  assertEquals([it.keys.secrets(), it.clock.pending], [["at last"], 0]);
  await it.keys.stop();
});

Deno.test("whatever chance says, a delay is within its bound, and after a thousand failures at most the cap", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 }),
      fc.constantFrom(1, 3, 20, 1_100),
      async (chances, failures) => {
        let rolls = 0;
        const random = () => chances[rolls++ % chances.length] ?? 0;
        using it = await world([failing], { random });
        await it.keys.start();
        for (let failure = 1; failure <= failures; failure++) {
          const retryMs = Number((await it.line(failure)).retryMs);
          const bound = Math.min(ARBITER_BACKOFF_CAP_MS, 500 * 2 ** (failure - 1));
          assert(Number.isInteger(retryMs) && retryMs >= 0 && retryMs <= bound, `${retryMs}`);
          if (failure < failures) it.passDelay();
        }
        await it.keys.stop();
        assertEquals([it.asked, it.clock.pending], [failures, 0]);
      },
    ),
    { numRuns: 20 },
  );
});

Deno.test("an attempt that throws is a failure like any other, and its message is not told", async () => {
  const throwing: Answer = () => Promise.reject(new TypeError("sesame"));
  const atOnce: Answer = () => {
    throw new RangeError("sesame");
  };
  using it = await world([throwing, atOnce, telling("present")]);
  await it.keys.start();
  for (const [count, detail] of [[1, "TypeError"], [2, "RangeError"]] as const) {
    const line = await it.line(count);
    assertEquals([line.code, line.detail], ["unexpected", detail]);
    it.passDelay();
  }
  assertEquals((await it.line(3)).event, "root_key.obtained");
  await it.keys.stop();
});

for (const [kind, nth] of [["fails", 2], ["fails", 3], ["lies", 3]] as const) {
  Deno.test(`a store that ${kind} at call ${nth} does not make it ask again`, async () => {
    // The first call loads; keeping reads, then writes.
    const fault = new Fault(kind, nth);
    fault.arm();
    const kv = await Deno.openKv(":memory:");
    const store = new KvSecrets(faultyKv(kv, fault));
    using it = new World(kv, [telling("first"), telling("second")], { store });
    await it.keys.start();
    const { event, code, detail } = await it.line(1);
    assertEquals([event, code, detail], ["root_key.failed", "store_failed", "TypeError"]);
    // What is not kept would be forgotten by a crash, and its tokens with it.
    assertEquals([it.keys.ready, it.keys.secrets()], [false, []]);
    it.passDelay();
    assertEquals((await it.line(2)).attempt, 2);
    assertEquals([it.asked, it.keys.secrets(), it.keys.ready], [1, ["first"], true]);
    assertEquals(await it.kept(), [{ secret: "first" }]);
    await it.keys.stop();
  });
}

Deno.test("a store that cannot be read stops the start: nothing is asked, nothing written over", async () => {
  using it = await world([telling("present")]);
  await it.kv.set(keys.secrets(), "something else");
  await assertRejects(() => it.keys.start(), Error, "Cannot read the former secrets");
  await it.keys.stop();
  assertEquals([it.asked, it.lines], [0, []]);
  assertEquals((await it.kv.get(keys.secrets())).value, "something else");
});

Deno.test("from start to start the former secrets stay good, first those of before, then the new one too", async () => {
  const kv = await Deno.openKv(":memory:");
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
    const it = new World(kv, [() => answer.promise], { clock });
    await it.keys.start();
    assertEquals([it.keys.ready, it.keys.secrets()], [false, [...before]]);
    answer.resolve({ kind: "secret", secret });
    assertEquals((await it.line(1)).former, after.length - 1);
    assertEquals(it.keys.secrets(), [...after]);
    await it.keys.stop();
    clock.advance(1_000);
  }
  kv.close();
});

Deno.test("a former secret is good to the end of its grace, also while the service runs", async () => {
  using it = await world([telling("present")]);
  const formerSince = it.clock.now() - 1_000;
  await new KvSecrets(it.kv).keep([{ secret: "before" }, { secret: "earlier", formerSince }]);
  await it.keys.start();
  await it.line(1);
  it.clock.advance(POLICY.graceMs - 1_001);
  assertEquals(it.keys.secrets(), ["present", "before", "earlier"]);
  it.clock.advance(1);
  assertEquals(it.keys.secrets(), ["present", "before"]);
  it.clock.advance(1_000);
  assertEquals(it.keys.secrets(), ["present"]);
  await it.keys.stop();
});

Deno.test("there are never more former secrets than the most, in the store and out of it", async () => {
  const kv = await Deno.openKv(":memory:");
  for (let start = 0; start < FORMER_SECRETS_MAX + 3; start++) {
    const it = new World(kv, [telling(`secret ${start}`)]);
    await it.keys.start();
    await it.line(1);
    await it.keys.stop();
    const most = Math.min(start, FORMER_SECRETS_MAX) + 1;
    assertEquals([it.keys.secrets().length, (await it.kept()).length], [most, most]);
    assertEquals(it.keys.secrets()[0], `secret ${start}`);
  }
  kv.close();
});

Deno.test("stopped while it asks or waits, it leaves neither a timer nor a line", async () => {
  for (const [answer, lines] of [[silent, 0], [failing, 1]] as const) {
    using it = await world([answer]);
    await it.keys.start();
    await it.line(lines);
    await it.keys.stop();
    assertEquals([it.clock.pending, it.asked, it.lines.length], [0, 1, lines]);
    it.clock.advance(ARBITER_BACKOFF_CAP_MS);
    await it.keys.stop();
    assertEquals([it.asked, it.lines.length], [1, lines]);
  }
});

Deno.test("stopped before it starts, it asks nothing, and has what was kept", async () => {
  using it = await world([telling("present")]);
  await new KvSecrets(it.kv).keep([{ secret: "before" }]);
  await it.keys.stop();
  await it.keys.start();
  assertEquals([it.asked, it.keys.secrets(), it.keys.ready], [0, ["before"], false]);
  await it.keys.stop();
});

Deno.test("a secret that comes just as it stops is kept before it has stopped", async () => {
  const answer = Promise.withResolvers<FetchedSecret>();
  using it = await world([() => answer.promise]);
  await it.keys.start();
  const stopped = it.keys.stop();
  answer.resolve({ kind: "secret", secret: "just now" });
  await stopped;
  assertEquals(await it.kept(), [{ secret: "just now" }]);
});

Deno.test("no line has a secret in it, whatever failed", async () => {
  const fault = new Fault("fails", 3);
  fault.arm();
  const kv = await Deno.openKv(":memory:");
  const inner = new KvSecrets(faultyKv(kv, fault));
  const quoting = {
    load: () => inner.load(),
    keep: (secrets: readonly KeptSecret[]) =>
      inner.keep(secrets).catch((error) => {
        throw new Error(`Cannot keep ${JSON.stringify(secrets)}`, { cause: error });
      }),
  };
  const throwing: Answer = () => Promise.reject(new Error("sesame"));
  using it = new World(kv, [throwing, failing, telling("sesame")], { store: quoting });
  await it.keys.start();
  for (const count of [1, 2, 3]) {
    await it.line(count);
    it.passDelay();
  }
  assertEquals((await it.line(4)).event, "root_key.obtained");
  assertEquals(it.keys.secrets(), ["sesame"]);
  assertFalse(JSON.stringify(it.lines).includes("sesame"));
  await it.keys.stop();
});
