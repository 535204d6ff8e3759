/**
 * Opens the store, for one process at a time: two on one file get in each other's way at every
 * other commit. The lock ends with the process, however that ends.
 */
import { dirname } from "node:path";
import { freeBytesAt } from "./disk.ts";
import { messageOf } from "./file_faults.ts";
import { requireWritableFiles, requireWritableFolder } from "./writable.ts";

export interface OpenStore {
  readonly kv: Deno.Kv;
  close(): void;
}

/** The store cannot be used; the message says why and what to do. */
export class StoreError extends Error {
  override readonly name = "StoreError";
}

/**
 * Opens the store at `path`, creating it and its folder if need be; `:memory:` is not kept.
 *
 * @throws {StoreError} if another process has it open, or its folder may not be written
 */
export async function openStore(path: string): Promise<OpenStore> {
  if (path === ":memory:") {
    const kv = await Deno.openKv(path);
    return { kv, close: () => kv.close() };
  }
  try {
    await requireWritableFolder(dirname(path));
    const lockPath = `${path}.lock`;
    await requireWritableFiles([lockPath]);
    const lock = await lockFile(lockPath);
    const kv = await openPrivately(path).catch((error) => {
      lock.close();
      throw error;
    });
    return {
      kv,
      close() {
        kv.close();
        lock.close();
      },
    };
  } catch (error) {
    if (error instanceof StoreError) throw error;
    const freeBytes = await freeBytesAt(path).catch(() => Infinity);
    throw cannotOpen(path, error, freeBytes);
  }
}

/** @throws {StoreError} if there is no store at `path` */
export async function requireStore(path: string): Promise<void> {
  if (path === ":memory:") throw new StoreError("A store in memory is gone with its service");
  const isThere = await Deno.stat(path).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw cannotOpen(path, error);
  });
  if (isThere) return;
  throw new StoreError(`There is no store at "${path}"; set EXPORT_KV_PATH to where it is`);
}

/**
 * Does some `work` on the store at `path`, once it is open.
 *
 * @throws {StoreError} that names the file, if it turns out to be damaged
 */
export async function namingDamage<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof StoreError || !isDamage(cause)) throw cause;
    throw new StoreError(`Cannot read the store at "${path}": ${adviceFor(cause)}`, { cause });
  }
}

/** A new store is readable by its owner only; its other files take the mode of this one. */
async function openPrivately(path: string): Promise<Deno.Kv> {
  // SQLite would open one that is not writable, and the runtime end the process at the first write.
  await requireWritableFiles([path, `${path}-wal`, `${path}-shm`]);
  try {
    (await Deno.open(path, { createNew: true, write: true, mode: 0o600 })).close();
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
  }
  return await Deno.openKv(path);
}

async function lockFile(path: string): Promise<Deno.FsFile> {
  const file = await Deno.open(path, { create: true, write: true });
  if (await file.tryLock(true)) return file;
  file.close();
  throw new StoreError(
    `Cannot open the store: another process holds "${path}"; ` +
      `stop that one first, or set EXPORT_KV_PATH to another file`,
  );
}

/** With less free, an I/O error is one of room: a new store takes some 100 KiB. */
const OPENING_BYTES = 262_144;

function cannotOpen(path: string, cause: unknown, freeBytes = Infinity): StoreError {
  const why = adviceFor(cause);
  // What SQLite says if there is no room for the index of its log.
  const isFull = freeBytes < OPENING_BYTES && why === "disk I/O error";
  const advice = isFull ? `the disk is full (${freeBytes} bytes are free): ${why}` : why;
  return new StoreError(`Cannot open the store at "${path}": ${advice}`, { cause });
}

function adviceFor(error: unknown): string {
  if (error instanceof Deno.errors.NotCapable) {
    return "the process was started without permission to read and write there; " +
      "keep it under data/, or start with --allow-read and --allow-write for that folder";
  }
  if (!isDamage(error)) return messageOf(error);
  // The parser quotes what it could not read, which may be anything.
  const what = error instanceof SyntaxError ? "a value in it cannot be read" : error.message;
  return `${what}\n${DAMAGED}`;
}

/** Whether something was found in the store that nobody wrote. */
function isDamage(error: unknown): error is Error {
  if (error instanceof SyntaxError) return true;
  return error instanceof Error && SIGNS.some((sign) => error.message.includes(sign));
}

/** What SQLite says of a damaged file, Deno KV of damaged rows and keys, and we of a value. */
const SIGNS = [
  ...["malformed", "not a database"],
  ...["value encoding", "could not deserialize", "Invalid column type"],
  ...["unexpected end of file", "invalid utf8", "invalid tag", "unknown bigint tag"],
  "is damaged",
];

const DAMAGED = "The store is damaged, the file at EXPORT_KV_PATH: restore it from a backup; " +
  "`PRAGMA quick_check` in SQLite says what is wrong.";
