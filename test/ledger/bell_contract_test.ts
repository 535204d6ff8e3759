/** What any bell must do. Time is real for the one on KV's queue: it cannot be told another. */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../../src/clock.ts";
import type { Bell, WakeUp } from "../../src/ledger/bell.ts";
import { KvQueueBell } from "../../src/ledger/kv_queue_bell.ts";
import { ClockBell } from "../fakes/clock_bell.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { having } from "../fakes/ruled.ts";

interface BellUnderTest {
  readonly bell: Bell;
  readonly kv: Deno.Kv;
  now(): number;
  /** Lets `ms` pass, or waits that long at most for `rung`. */
  pass(ms: number, rung: Promise<void>): Promise<void>;
}

function testBell(name: string, open: (kv: Deno.Kv) => BellUnderTest): void {
  const promise = (what: string, check: (test: BellUnderTest) => Promise<void>) =>
    Deno.test(`${name}: ${what}`, async () => {
      const kv = await Deno.openKv(":memory:");
      try {
        await check(open(kv));
      } finally {
        kv.close();
      }
    });

  promise(
    "what is due rings when its commit is confirmed, not before, whether or not it listens",
    async ({ bell, kv, now }) => {
      const rung: string[] = [];
      bell.onRing((lanes) => rung.push(...lanes));
      const commit = kv.atomic();
      const ring = bell.arm(commit, [{ lane: "a", at: now() }, { lane: "b", at: now() - 5 }]);
      await commit.commit();
      assertEquals(rung, []);
      ring();
      assertEquals(rung.sort(), ["a", "b"]);
    },
  );

  promise("what is due later rings then, and not before", async (test) => {
    const { bell, kv, now } = test;
    const rung = Promise.withResolvers<void>();
    const rings: { lane: string; at: number }[] = [];
    const due = now() + 300;
    bell.onRing((lanes) => {
      for (const lane of lanes) rings.push({ lane, at: now() });
      rung.resolve();
    });
    bell.listen();
    const commit = kv.atomic();
    const ring = bell.arm(commit, [{ lane: "later", at: due }]);
    await commit.commit();
    ring();
    await test.pass(300, rung.promise);
    assertEquals(rings.map(({ lane }) => lane), ["later"]);
    assert(rings.every(({ at }) => at >= due));
  });
}

testBell("a bell on a clock", (kv) => {
  const clock = new FakeClock();
  const bell = new ClockBell(clock);
  const pass = (ms: number) => Promise.resolve(clock.advance(ms));
  return { bell, kv, now: () => clock.now(), pass };
});

testBell("a bell on KV's queue", (kv) => {
  const bell = new KvQueueBell(kv, systemClock);
  return { bell, kv, now: () => systemClock.now(), pass: (_ms, rung) => rung };
});

Deno.test("wake-ups of the same lane and second share one message of KV's queue", async () => {
  const kv = await Deno.openKv(":memory:");
  const clock = new FakeClock();
  const bell = new KvQueueBell(kv, clock);
  const messages: number[] = [];
  const arm = async (wakeUps: WakeUp[]) => {
    const commit = kv.atomic();
    let enqueued = 0;
    commit.enqueue = () => {
      enqueued++;
      return commit;
    };
    const ring = bell.arm(commit, wakeUps);
    await commit.commit();
    ring();
    messages.push(enqueued);
  };
  const at = clock.now() + 10_000;
  await arm([{ lane: "a", at }, { lane: "b", at: at + 100 }]);
  await arm([{ lane: "a", at: at + 200 }]);
  await arm([{ lane: "c", at }]);
  await arm([{ lane: "a", at: at + 1_000 }]);
  assertEquals(messages, [1, 0, 1, 1]);
  kv.close();
});

Deno.test("a wake-up whose commit failed is armed again by the next one", async () => {
  const kv = await Deno.openKv(":memory:");
  const clock = new FakeClock();
  const bell = new KvQueueBell(kv, clock);
  let enqueued = 0;
  for (let tries = 0; tries < 2; tries++) {
    const commit = kv.atomic();
    commit.enqueue = () => {
      enqueued++;
      return commit;
    };
    bell.arm(commit, [{ lane: "a", at: clock.now() + 10_000 }]);
  }
  assertEquals(enqueued, 2);
  kv.close();
});

Deno.test("a wake-up that should have rung before another one is armed again: its message is lost", async () => {
  using real = await Deno.openKv(":memory:");
  let deliver = (_message: unknown) => {};
  const kv = having(real, { listenQueue: (handler: typeof deliver) => (deliver = handler) });
  const clock = new FakeClock();
  const bell = new KvQueueBell(kv, clock);
  bell.listen();
  const arm = async (at: number) => {
    const messages: unknown[] = [];
    const commit = real.atomic();
    commit.enqueue = (message) => (messages.push(message), commit);
    const ring = bell.arm(commit, [{ lane: "a", at }]);
    await commit.commit();
    ring();
    return messages;
  };
  const at = clock.now() + 10_000;
  await arm(at);
  const [later] = await arm(at + 10_000);
  assertEquals(await arm(at), [], "it is on its way");
  deliver(later);
  assertEquals((await arm(at)).length, 1);
  assertEquals((await arm(at + 10_000)).length, 1, "this one has rung, by a clock since put back");
});

Deno.test("a wake-up survives its process: the next one on the store is rung", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/export.kv`;
  const first = await Deno.openKv(path);
  const commit = first.atomic();
  new KvQueueBell(first, systemClock).arm(commit, [{ lane: "a", at: systemClock.now() + 100 }]);
  await commit.commit();
  first.close();

  const second = await Deno.openKv(path);
  const rung = Promise.withResolvers<readonly string[]>();
  const bell = new KvQueueBell(second, systemClock);
  bell.onRing(rung.resolve);
  bell.listen();
  assertEquals(await rung.promise, ["a"]);
  second.close();
  await Deno.remove(folder, { recursive: true });
});
