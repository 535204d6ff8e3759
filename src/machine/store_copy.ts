/**
 * Opens a store to read from. The one of a running service is read from a copy as of one moment, which
 * SQLite makes while the service goes on. Never changes what is in the store.
 */
import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { formatSize } from "../units.ts";
import { openExistingStore, type OpenStore, StoreError, StoreHeld } from "./store_file.ts";

/**
 * Opens the store at `path`, or a copy of it if a service has it open. A copy has no name any more
 * once it is open, so that its room is free again however the process ends.
 *
 * @param floorBytes what the copy must leave free on the disk
 * @throws {StoreError} if there is no store, it cannot be opened, or there is no room for a copy
 */
export async function openToRead(path: string, floorBytes: number): Promise<OpenStore> {
  try {
    return await openExistingStore(path);
  } catch (error) {
    if (!(error instanceof StoreHeld)) throw error;
  }
  await assertRoom(path, floorBytes);
  return await undisturbed(() => openCopy(path));
}

async function openCopy(path: string): Promise<OpenStore> {
  const folder = await Deno.makeTempDir({ dir: dirname(path), prefix: "copy-" });
  try {
    const copy = join(folder, "export.kv");
    const store = new DatabaseSync(path, { readOnly: true });
    try {
      // In one step: a copy in several begins anew whenever the service has written meanwhile.
      await backup(store, copy, { rate: ALL_PAGES });
    } finally {
      store.close();
    }
    const kv = await Deno.openKv(copy);
    return { kv, close: () => kv.close() };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const ALL_PAGES = -1;

/** A full disk would stop the service. */
async function assertRoom(path: string, floorBytes: number): Promise<void> {
  const sizes = await Promise.all([path, `${path}-wal`].map(sizeOf));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const { bavail, bsize } = await statfs(dirname(path));
  const freeBytes = bavail * bsize;
  if (freeBytes - bytes >= floorBytes) return;
  throw new StoreError(
    `Cannot copy the store of the running service: that takes ${inMib(bytes)}, and of the ` +
      `${inMib(freeBytes)} that are free, EXPORT_FREE_SPACE_FLOOR keeps ${
        formatSize(floorBytes)
      }; ` +
      "free some of its disk, or stop the service",
  );
}

async function sizeOf(path: string): Promise<number> {
  const file = await Deno.stat(path).catch(() => undefined);
  return file?.size ?? 0;
}

function inMib(bytes: number): string {
  return `${Math.ceil(bytes / 1_048_576)} MiB`;
}

/** Has signals to end the process wait for `work`, which cleans up after itself. */
async function undisturbed<T>(work: () => Promise<T>): Promise<T> {
  let signalled = false;
  const note = () => signalled = true;
  for (const signal of SIGNALS) Deno.addSignalListener(signal, note);
  try {
    return await work();
  } finally {
    for (const signal of SIGNALS) Deno.removeSignalListener(signal, note);
    if (signalled) Deno.exit(SIGNALLED);
  }
}

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** What shells make of a process that Ctrl-C ends. */
const SIGNALLED = 130;
