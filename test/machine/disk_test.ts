/** The disk under a store, with real files: how much room, and whether it is still the same store. */
import { assert, assertEquals } from "@std/assert";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { StorageState } from "../../src/ledger/storage.ts";
import { type Disk, FreePages, onceWell, watchDisk } from "../../src/machine/disk.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

interface Place {
  readonly path: string;
  readonly kv: Deno.Kv;
  readonly clock: FakeClock;
}

async function withStore(
  floorBytes: number,
  story: (disk: Disk, place: Place) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  const path = join(folder, "export.kv");
  const clock = new FakeClock();
  const kv = await Deno.openKv(path);
  const disk = await watchDisk(path, floorBytes, clock);
  try {
    await story(disk, { path, kv, clock });
  } finally {
    disk.close();
    kv.close();
    await Deno.remove(folder, { recursive: true });
  }
}

/** The state at the next look. */
function lookAgain(disk: Disk, clock: FakeClock): Promise<StorageState> {
  clock.advance(1_000);
  return disk.state();
}

Deno.test("a store with more room than the floor is well", () =>
  withStore(1, async (disk) => assertEquals(await disk.state(), { kind: "well" })));

Deno.test("a store with less room than half of the floor is exhausted, and says how much there is", () =>
  withStore(2 ** 50, async (disk) => {
    const { kind, ...rest } = await disk.state();
    assertEquals([kind, Object.keys(rest)], ["exhausted", ["roomBytes"]]);
  }));

Deno.test("what is free for a store is on its disk and in its file, and nothing once that is gone", () =>
  withStore(1, async (disk, { path, kv, clock }) => {
    for (let n = 0; n < 50; n++) await kv.set(["entry", n], new Uint8Array(60_000));
    clock.advance(1_000);
    const before = await disk.freeSpaceBytes();
    const { bavail, bsize } = await statfs(join(path, ".."));
    assert(Math.abs(before - bavail * bsize) < 0.1 * before);
    await Deno.remove(path);
    clock.advance(1_000);
    assertEquals(await disk.freeSpaceBytes(), 0);
  }));

Deno.test("what is removed from a store is room again, at once", () =>
  withStore(1, async (_disk, { path, kv }) => {
    const file = new FreePages(path);
    const value = new Uint8Array(60_000);
    for (let n = 0; n < 100; n++) await kv.set(["filling", n], value);
    const before = file.reusableBytes();
    for (let n = 0; n < 100; n++) await kv.delete(["filling", n]);
    const freed = file.reusableBytes() - before;
    file.close();
    assert(freed >= 5_000_000, `${freed} bytes`);
  }));

Deno.test("a store whose file was removed, or is another one now, is lost", () =>
  withStore(1, async (disk, { path, clock }) => {
    await Deno.rename(path, `${path}.away`);
    assertEquals(await lookAgain(disk, clock), { kind: "lost" });
    await Deno.writeTextFile(path, "another one");
    assertEquals(await lookAgain(disk, clock), { kind: "lost" });
    await Deno.rename(`${path}.away`, path);
    assertEquals(await lookAgain(disk, clock), { kind: "well" });
  }));

Deno.test("a look is shared for a moment, whatever the clock does", () =>
  withStore(1, async (disk, { path, clock }) => {
    assertEquals(await disk.state(), { kind: "well" });
    await Deno.rename(path, `${path}.away`);
    assertEquals(await disk.state(), { kind: "well" });
    clock.advance(-86_400_000);
    assertEquals(await disk.state(), { kind: "lost" });
    await Deno.rename(`${path}.away`, path);
  }));

Deno.test("what is about to be written counts before the next look", () =>
  withStore(1_048_576, async (disk, { clock }) => {
    const { bavail, bsize } = await statfs("/");
    assertEquals(await disk.state(), { kind: "well" });
    assertEquals((await disk.state(2 * bavail * bsize + 2 ** 50)).kind, "exhausted");
    assertEquals((await disk.state()).kind, "exhausted");
    assertEquals(await lookAgain(disk, clock), { kind: "well" });
  }));

Deno.test("a store in memory is always well", async () => {
  const disk = await watchDisk(":memory:", 2 ** 50, new FakeClock());
  assertEquals(await disk.state(), { kind: "well" });
  disk.close();
});

/** A disk that shows `looks` one after the other, and a way to let a second pass. */
function waiting(looks: (StorageState | Error)[]) {
  const clock = new FakeClock();
  const state = () => {
    const look = looks.shift() ?? { kind: "well" };
    return look instanceof Error ? Promise.reject(look) : Promise.resolve(look);
  };
  let calls = 0;
  const alarm = onceWell({ state }, clock, () => calls++);
  const rest = () => new Promise((resolve) => setTimeout(resolve));
  const second = async () => {
    await rest();
    clock.advance(1_000);
    await rest();
  };
  return { clock, alarm, second, calls: () => calls };
}

Deno.test("what waits for room happens once there is some, however often a look finds none or fails", async () => {
  const failed = new Error("The store is held by another process");
  const low: StorageState = { kind: "low", roomBytes: 1 };
  const { clock, second, calls } = waiting([failed, low, failed, failed, low]);
  for (let seconds = 1; seconds <= 4; seconds++) await second();
  assertEquals(calls(), 0);
  await second();
  assertEquals([calls(), clock.pending], [1, 0]);
  await second();
  assertEquals(calls(), 1);
});

Deno.test("what is stopped waits no longer, be it before a look or in the middle of one", async () => {
  const { clock, alarm, second, calls } = waiting([{ kind: "lost" }]);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(clock.pending, 1);
  alarm.stop();
  assertEquals(clock.pending, 0);
  await second();
  const looking = waiting([]);
  looking.alarm.stop();
  await looking.second();
  assertEquals([calls(), looking.calls(), clock.pending, looking.clock.pending], [0, 0, 0, 0]);
});

Deno.test("a look that takes long is waited for by whoever comes later, so that nobody overtakes", () =>
  withStore(1, async (disk, { clock }) => {
    await disk.state();
    clock.advance(1_000);
    const { stat } = Deno;
    const slow = Promise.withResolvers<void>();
    const slowStat: typeof stat = async (path) => {
      Object.assign(Deno, { stat });
      await slow.promise;
      return await stat(path);
    };
    Object.assign(Deno, { stat: slowStat });
    const told: string[] = [];
    const first = disk.state().then(() => told.push("first"));
    clock.advance(1_000);
    const second = disk.state().then(() => told.push("second"));
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(told, []);
    slow.resolve();
    await Promise.all([first, second]);
    assertEquals(told, ["first", "second"]);
  }));
