/** Long polls, on watches that a test holds in its hand. */
import { assertEquals, assertFalse } from "@std/assert";
import { type Listener, RELEASED, Waiters } from "../../src/wait/waiters.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const SECOND = 1_000;

/** A watch that emits what the test says. */
interface Source {
  readonly id: string;
  emit(value: number): void;
  end(): void;
  cancelled: boolean;
}

function waitersWithSources(first?: number) {
  const clock = new FakeClock();
  const sources: Source[] = [];
  const watch = (id: string, listener: Listener<number>) => {
    const source = {
      id,
      emit: (value: number) => listener.tell(value),
      end: () => listener.end(),
      cancelled: false,
    };
    sources.push(source);
    if (first !== undefined) listener.tell(first);
    return () => void (source.cancelled = true);
  };
  const waiters = new Waiters(watch, clock);
  /** The one watch there is. */
  const source = () => {
    const [only, ...others] = sources;
    if (only === undefined || others.length > 0) throw new Error(`${sources.length} watches`);
    return only;
  };
  return { waiters, clock, sources, source, watch };
}

function wait(timeoutMs = 5 * SECOND, signal = new AbortController().signal) {
  return { timeoutMs, signal };
}

const above = (bound: number) => (value: number) => value > bound;

/** Whether `promise` is settled once everything that can run now has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  promise.then(() => done = true);
  await ticks();
  return done;
}

/** Lets streams and promises that are ready pass on what they have; no time passes. */
async function ticks(): Promise<void> {
  for (let n = 0; n < 20; n++) await Promise.resolve();
}

Deno.test("a wait ends with the first value that is enough", async () => {
  const { waiters, clock, source } = waitersWithSources(1);
  const waiting = waiters.until("a", above(2), wait());
  assertEquals(waiters.size, 1);
  source().emit(2);
  assertFalse(await settled(waiting));
  source().emit(3);
  source().emit(4);
  assertEquals(await waiting, 3);
  assertEquals([waiters.size, clock.pending, source().cancelled], [0, 0, true]);
});

Deno.test("a present value that is enough ends the wait at once", async () => {
  const { waiters, clock, source } = waitersWithSources(7);
  assertEquals(await waiters.until("a", above(2), wait()), 7);
  assertEquals([waiters.size, clock.pending, source().cancelled], [0, 0, true]);
});

Deno.test("all who wait for one export share one watch, and all are woken", async () => {
  const { waiters, clock, source } = waitersWithSources(0);
  const waiting = Array.from({ length: 50 }, () => waiters.until("a", above(0), wait()));
  assertEquals(waiters.size, 50);
  source().emit(1);
  assertEquals(await Promise.all(waiting), Array<number>(50).fill(1));
  assertEquals([waiters.size, clock.pending, source().cancelled], [0, 0, true]);
});

Deno.test("the watch goes on for whoever is not content yet", async () => {
  const { waiters, clock, source } = waitersWithSources(0);
  const easy = waiters.until("a", above(0), wait());
  const hard = waiters.until("a", above(1), wait());
  source().emit(1);
  assertEquals(await easy, 1);
  assertEquals([waiters.size, clock.pending, source().cancelled], [1, 1, false]);
  source().emit(2);
  assertEquals(await hard, 2);
  assertEquals([waiters.size, clock.pending, source().cancelled], [0, 0, true]);
});

Deno.test("whoever comes later is shown the latest value, not the first", async () => {
  const { waiters, source } = waitersWithSources(0);
  const first = waiters.until("a", above(9), wait());
  source().emit(5);
  const shown: number[] = [];
  const late = waiters.until("a", (value) => shown.push(value) > 0, wait());
  assertEquals([await late, shown], [5, [5]]);
  assertEquals([waiters.size, source().cancelled], [1, false]);
  source().emit(10);
  assertEquals(await first, 10);
});

Deno.test("exports are watched apart", async () => {
  const { waiters, sources } = waitersWithSources(0);
  const waits = ["a", "b"].map((id) => waiters.until(id, above(0), wait()));
  assertEquals(sources.map(({ id }) => id), ["a", "b"]);
  sources[1]?.emit(2);
  assertEquals(await waits[1], 2);
  assertEquals(sources.map(({ cancelled }) => cancelled), [false, true]);
  assertEquals(waiters.size, 1);
  sources[0]?.emit(1);
  assertEquals(await waits[0], 1);
});

Deno.test("who waits again after everybody left gets a new watch", async () => {
  const { waiters, clock, sources } = waitersWithSources(1);
  await waiters.until("a", above(0), wait());
  const again = waiters.until("a", above(1), wait());
  assertEquals(sources.length, 2);
  sources[1]?.emit(2);
  assertEquals([await again, waiters.size, clock.pending], [2, 0, 0]);
});

Deno.test("each wait ends after its own time, without a value", async () => {
  const { waiters, clock, source } = waitersWithSources(0);
  const short = waiters.until("a", above(0), wait(SECOND));
  const long = waiters.until("a", above(0), wait(2 * SECOND));
  clock.advance(SECOND - 1);
  assertFalse(await settled(short));
  clock.advance(1);
  assertEquals(await short, undefined);
  assertFalse(await settled(long));
  assertEquals([waiters.size, clock.pending, source().cancelled], [1, 1, false]);
  clock.advance(SECOND);
  assertEquals(await long, undefined);
  assertEquals([waiters.size, clock.pending, source().cancelled], [0, 0, true]);
});

Deno.test("a wait of no time ends at once and watches nothing", async () => {
  const { waiters, clock, sources } = waitersWithSources(9);
  for (const timeoutMs of [0, -1]) {
    assertEquals(await waiters.until("a", above(0), wait(timeoutMs)), undefined);
  }
  assertEquals([waiters.size, clock.pending, sources.length], [0, 0, 0]);
});

Deno.test("a wait ends when its client goes away, and only that one", async () => {
  const { waiters, clock, source } = waitersWithSources(0);
  const client = new AbortController();
  const gone = waiters.until("a", above(0), wait(5 * SECOND, client.signal));
  const other = waiters.until("a", above(0), wait());
  client.abort();
  assertEquals(await gone, undefined);
  assertEquals([waiters.size, clock.pending, source().cancelled], [1, 1, false]);
  source().emit(1);
  assertEquals(await other, 1);
  assertEquals([waiters.size, clock.pending, source().cancelled], [0, 0, true]);
});

Deno.test("for a client that is gone already nothing is watched", async () => {
  const { waiters, clock, sources } = waitersWithSources(9);
  const end = waiters.until("a", above(0), wait(5 * SECOND, AbortSignal.abort()));
  assertEquals(await end, undefined);
  assertEquals([waiters.size, clock.pending, sources.length], [0, 0, 0]);
});

Deno.test("a wait that is over leaves nothing on its client's signal", async () => {
  const { waiters, source } = waitersWithSources(0);
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  signal.addEventListener = (_type: string, listener: unknown) => void listeners.add(listener);
  signal.removeEventListener = (_type: string, listener: unknown) =>
    void listeners.delete(listener);
  const waiting = waiters.until("a", above(0), wait(SECOND, signal));
  assertEquals(listeners.size, 1);
  source().emit(1);
  await waiting;
  assertEquals(listeners.size, 0);
});

Deno.test("when the watch ends, all who wait are sent away, and may come again", async () => {
  const { waiters, clock, sources } = waitersWithSources(0);
  const waiting = [1, 2].map(() => waiters.until("a", above(0), wait()));
  sources[0]?.end();
  assertEquals(await Promise.all(waiting), [undefined, undefined]);
  assertEquals([waiters.size, clock.pending], [0, 0]);
  const again = waiters.until("a", above(0), wait());
  sources[1]?.emit(3);
  assertEquals([await again, sources.length], [3, 2]);
});

Deno.test("when a watch cannot even begin, the wait ends", async () => {
  const clock = new FakeClock();
  const waiters = new Waiters<number>(() => {
    throw new Error("the store is closed");
  }, clock);
  assertEquals(await waiters.until("a", above(0), wait()), undefined);
  assertEquals([waiters.size, clock.pending], [0, 0]);
});

Deno.test("when no timer can be set, the wait ends, and nothing is watched", async () => {
  const { sources, watch } = waitersWithSources(0);
  const clock = new FakeClock();
  clock.after = () => {
    throw new Error("no timer");
  };
  const waiters = new Waiters(watch, clock);
  assertEquals(await waiters.until("a", above(0), wait()), undefined);
  assertEquals([waiters.size, sources.length], [0, 0]);
});

Deno.test("a watch that ends as it begins sends away who waits", async () => {
  const clock = new FakeClock();
  let stopped = 0;
  const waiters = new Waiters<number>((_id, listener) => {
    listener.end();
    return () => stopped++;
  }, clock);
  assertEquals(await waiters.until("a", above(0), wait()), undefined);
  assertEquals([waiters.size, clock.pending, stopped], [0, 0, 1]);
});

Deno.test("who is released is told so, and may wait again; somebody attends while anybody waits", async () => {
  const { sources, watch } = waitersWithSources(0);
  const clock = new FakeClock();
  const attended: string[] = [];
  const waiters = new Waiters(watch, clock, () => {
    attended.push("begin");
    return () => attended.push("end");
  });
  const waiting = ["a", "a", "b"].map((id) => waiters.until(id, above(0), wait()));
  assertEquals(attended, ["begin"]);
  waiters.release();
  assertEquals(await Promise.all(waiting), [RELEASED, RELEASED, RELEASED]);
  assertEquals([waiters.size, clock.pending, attended], [0, 0, ["begin", "end"]]);
  const again = waiters.until("a", above(0), wait());
  sources[2]?.emit(1);
  assertEquals([await again, attended], [1, ["begin", "end", "begin", "end"]]);
});

Deno.test("closing ends every wait, now and from now on", async () => {
  const { waiters, clock, sources } = waitersWithSources(0);
  const waiting = ["a", "a", "b"].map((id) => waiters.until(id, above(0), wait()));
  waiters.close();
  assertEquals(await Promise.all(waiting), [undefined, undefined, undefined]);
  assertEquals([waiters.size, clock.pending], [0, 0]);
  assertEquals(sources.map(({ cancelled }) => cancelled), [true, true]);
  assertEquals(await waiters.until("c", above(0), wait()), undefined);
  assertEquals(sources.length, 2);
});
