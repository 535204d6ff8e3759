/**
 * Opens a copy of a store for reading, as it is at one moment. SQLite makes it, even while a
 * service goes on using the store itself, which is neither locked nor changed.
 */
import { dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { systemClock } from "../clock.ts";
import { formatSize } from "../units.ts";
import { freeBytesAt } from "./disk.ts";
import { type OpenStore, requireStore, StoreError } from "./store_file.ts";

/**
 * Opens a copy of the store at `path`. Its files are removed once it is open, so that their room is
 * free again however the process ends.
 *
 * @param floorBytes what the copy must leave free on the disk
 * @throws {StoreError} if there is no store, no room for a copy, or another user's copy in the way
 */
export async function openCopy(path: string, floorBytes: number): Promise<OpenStore> {
  await requireStore(path);
  // One copy at a time: two would both find the room for one.
  using lock = await openFolderOf(path);
  await lock.lock(true);
  return await deferringSignals(async () => {
    const folder = folderOf(path);
    try {
      await removeFolder(folder);
      assertRoom(await bytesOf(path), await freeBytesAt(path), floorBytes);
      await Deno.mkdir(folder, { mode: 0o700 });
      return await copyInto(join(folder, "export.kv"), path);
    } finally {
      await removeFolder(folder);
    }
  });
}

/**
 * Removes what an interrupted copy left behind, unless one is being made.
 *
 * @throws {StoreError} if it is another user's
 */
export async function removeAbandonedCopy(path: string): Promise<void> {
  if (await sizeOf(folderOf(path)) === undefined) return;
  using lock = await openFolderOf(path);
  if (await lock.tryLock(true)) await removeFolder(folderOf(path));
}

/** What is locked. A file would have to be made, or be one of SQLite's, with locks of its own. */
async function openFolderOf(path: string): Promise<Deno.FsFile> {
  return await Deno.open(dirname(path), { read: true });
}

function folderOf(path: string): string {
  return `${path}.copy`;
}

async function removeFolder(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return;
    const advice = "a copy that was cut off; remove it as the user who made it";
    throw new StoreError(`Cannot remove "${path}", ${advice}: ${error.message}`, { cause: error });
  });
}

async function copyInto(copy: string, path: string): Promise<OpenStore> {
  const store = new DatabaseSync(path, { readOnly: true });
  try {
    // In one step: a copy in several starts over whenever the service has written meanwhile.
    await backup(store, copy, { rate: ALL_PAGES });
  } finally {
    store.close();
  }
  const kv = await Deno.openKv(copy);
  return { kv, close: () => kv.close() };
}

const ALL_PAGES = -1;

/** The size of the copy: the store's file, and what is in SQLite's log and not in the file yet. */
async function bytesOf(path: string): Promise<number> {
  const [file = 0, log = 0] = await Promise.all([path, `${path}-wal`].map(sizeOf));
  return file + log;
}

/**
 * Refuses a copy that would leave less than the floor: a full disk would stop the service.
 *
 * @throws {StoreError}
 */
export function assertRoom(bytes: number, freeBytes: number, floorBytes: number): void {
  if (freeBytes - bytes >= floorBytes) return;
  const [needed, free] = [bytes, freeBytes].map((each) => `${Math.ceil(each / MIB)} MiB`);
  throw new StoreError(
    `Cannot copy the store: that takes ${needed}, ${free} are free on its disk, and ` +
      `EXPORT_FREE_SPACE_FLOOR keeps ${formatSize(floorBytes)} of them; free some, or set the ` +
      "floor lower for this command",
  );
}

const MIB = 1_048_576;

async function sizeOf(path: string): Promise<number | undefined> {
  const file = await Deno.stat(path).catch(() => undefined);
  return file?.size;
}

/** Defers SIGHUP, SIGINT and SIGTERM until `work` has cleaned up after itself. */
async function deferringSignals<T>(work: () => Promise<T>): Promise<T> {
  let exitCode: number | undefined;
  const listeners = SIGNALS.map(([signal, code]) => [signal, () => exitCode = code] as const);
  for (const [signal, note] of listeners) Deno.addSignalListener(signal, note);
  try {
    return await work();
  } finally {
    // A signal that has come is reported in the next turn of the event loop.
    await new Promise<void>((resolve) => systemClock.after(0, resolve));
    for (const [signal, note] of listeners) Deno.removeSignalListener(signal, note);
    if (exitCode !== undefined) Deno.exit(exitCode);
  }
}

/** Exit codes that shells report for a process ended by one of these. */
const SIGNALS = [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const;
