/** The limit over an attempt, on a clock that stands still: whoever loses is left without a trace. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { pause, withDeadline } from "../src/deadline.ts";
import { FakeClock } from "./fakes/fake_clock.ts";

const LIMIT_MS = 1_000;

function setUp() {
  const clock = new FakeClock();
  const stopping = new AbortController();
  const listeners = listenersOf(stopping.signal);
  const given: AbortSignal[] = [];
  const held = Promise.withResolvers<string>();
  const attempt = (signal: AbortSignal): Promise<string> => {
    given.push(signal);
    return held.promise;
  };
  const run = () => withDeadline({ clock, timeoutMs: LIMIT_MS, signal: stopping.signal }, attempt);
  return { clock, stopping, listeners, given, held, run };
}

/** Who listens to `signal` from now on. */
function listenersOf(signal: AbortSignal): ReadonlySet<unknown> {
  const listeners = new Set<unknown>();
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners.add(listener);
    add.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListenerOrEventListenerObject) => {
    listeners.delete(listener);
    remove.call(signal, type, listener);
  };
  return listeners;
}

type SetUp = ReturnType<typeof setUp>;

/** No timer is left and no listener, and the attempt was told that nobody waits for it any more. */
function assertLeft({ clock, listeners, given }: SetUp): void {
  assertEquals([clock.pending, listeners.size], [0, 0]);
  assertEquals(given.map(({ aborted }) => aborted), [true]);
}

Deno.test("an attempt that ends in time gives what it found", async () => {
  const world = setUp();
  const running = world.run();
  world.clock.advance(LIMIT_MS - 1);
  assertEquals(world.given.map(({ aborted }) => aborted), [false]);
  world.held.resolve("found");
  assertEquals(await running, { kind: "done", value: "found" });
  assertLeft(world);
});

Deno.test("at the limit an attempt is left, also one that heeds no signal", async () => {
  const world = setUp();
  const running = world.run();
  world.clock.advance(LIMIT_MS);
  assertEquals(await running, { kind: "timed_out" });
  assertLeft(world);
});

Deno.test("an attempt is left as soon as it is to stop", async () => {
  const world = setUp();
  const running = world.run();
  world.stopping.abort();
  assertEquals(await running, { kind: "stopped" });
  assertLeft(world);
});

Deno.test("what is to stop already is not begun", async () => {
  const world = setUp();
  world.stopping.abort();
  assertEquals(await world.run(), { kind: "stopped" });
  assertEquals([world.given, world.clock.pending], [[], 0]);
});

Deno.test("an attempt that fails by itself fails the same way, and leaves nothing", async () => {
  const world = setUp();
  const running = world.run();
  world.held.reject(new Error("its own fault"));
  await assertRejects(() => running, Error, "its own fault");
  assertLeft(world);
});

Deno.test("an attempt that throws before it begins to wait leaves nothing either", async () => {
  const clock = new FakeClock();
  const bounds = { clock, timeoutMs: LIMIT_MS, signal: new AbortController().signal };
  await assertRejects(
    () =>
      withDeadline(bounds, () => {
        throw new Error("at once");
      }),
    Error,
    "at once",
  );
  assertEquals(clock.pending, 0);
});

// A rejection that nobody handles would end the process, and so it ends a test.
for (const end of ["timed_out", "stopped"] as const) {
  Deno.test(`an attempt that fails after it was ${end} disturbs nobody`, async () => {
    const world = setUp();
    const unhandled: unknown[] = [];
    const note = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      unhandled.push(event.reason);
    };
    addEventListener("unhandledrejection", note);
    try {
      const running = world.run();
      if (end === "timed_out") world.clock.advance(LIMIT_MS);
      else world.stopping.abort();
      assertEquals((await running).kind, end);
      world.held.reject(new Error("too late"));
      await rejectionsTold(unhandled);
      assertEquals(unhandled, ["told"]);
    } finally {
      removeEventListener("unhandledrejection", note);
    }
  });
}

/** Resolves when a rejection that is left unhandled on purpose was told, and so all before it. */
async function rejectionsTold(unhandled: readonly unknown[]): Promise<void> {
  void Promise.reject("told");
  while (!unhandled.includes("told")) await new Promise((resolve) => setTimeout(resolve));
}

Deno.test("a signal to stop that comes after the end finds nothing to do", async () => {
  const world = setUp();
  const running = world.run();
  world.held.resolve("found");
  const { kind } = await running;
  world.stopping.abort();
  world.clock.advance(LIMIT_MS);
  assert(kind === "done");
});

Deno.test("an attempt that nobody can stop has its limit all the same", async () => {
  const { clock, held } = setUp();
  const running = withDeadline({ clock, timeoutMs: LIMIT_MS }, () => held.promise);
  clock.advance(LIMIT_MS);
  assertEquals(await running, { kind: "timed_out" });
  assertEquals(clock.pending, 0);
});

for (const how of ["after its time", "when it is cut short", "at once where that has happened"]) {
  Deno.test(`a pause ends ${how}, and leaves no timer`, async () => {
    const { clock, stopping } = setUp();
    if (how === "at once where that has happened") stopping.abort();
    let isOver = false;
    const pausing = pause(clock, LIMIT_MS, stopping.signal).then(() => isOver = true);
    clock.advance(LIMIT_MS - 1);
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(isOver, stopping.signal.aborted);
    if (how === "after its time") clock.advance(1);
    else stopping.abort();
    await pausing;
    assertEquals(clock.pending, 0);
  });
}
