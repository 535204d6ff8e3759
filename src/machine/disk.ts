/**
 * The disk under the store: how much room is left, and whether the store's file is still the one
 * that was opened. SQLite notices neither in time: it goes on writing to a file that was removed,
 * and the runtime ends the process when its queue meets a full disk. Never writes anything.
 */
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "../clock.ts";
import { cached } from "../cached.ts";
import { roomFor, roomState, type StorageState } from "../ledger/storage.ts";

/** How long a look is valid; what the store itself takes meanwhile is counted. */
const LOOK_MS = 250;
/** How long a start on a full disk waits before it looks again. */
const LOOK_AGAIN_MS = 1_000;

export interface Disk {
  /** The state once `bytes` more are written, from a look at most {@link LOOK_MS} old. */
  state(bytes?: number): Promise<StorageState>;
  /** The space free for the store, as it counts against the floor; 0 if its file is gone. */
  freeSpaceBytes(): Promise<number>;
  close(): void;
}

const NO_ROOM = { diskBytes: 0, reusableBytes: 0 };

/** What a look sees; `undefined` if the store's file is not there. */
type Look = { readonly diskBytes: number; readonly reusableBytes: number } | undefined;

/** A look, and what the store has taken since it was begun. */
interface Sight {
  readonly seen: Promise<Look>;
  takenBytes: number;
}

/**
 * Watches the disk of the store at `path`, which is open; a store in memory is always well.
 *
 * @param floorBytes what must stay free
 */
export async function watchDisk(
  path: string,
  floorBytes: number,
  clock: Pick<Clock, "now">,
): Promise<Disk> {
  if (path === ":memory:") {
    return {
      state: () => Promise.resolve({ kind: "well" }),
      freeSpaceBytes: () => Promise.resolve(Infinity),
      close: () => {},
    };
  }
  const opened = await Deno.stat(path);
  const file = new FreePages(path);
  const look = async (): Promise<Look> => {
    const now = await Deno.stat(path).catch(() => undefined);
    if (now?.ino !== opened.ino || now.dev !== opened.dev) return undefined;
    return { diskBytes: await freeBytesAt(path), reusableBytes: file.reusableBytes() };
  };
  let unanswered: Sight | undefined;
  const begin = (): Sight => {
    const sight = { seen: look(), takenBytes: 0 };
    const end = () => unanswered = undefined;
    sight.seen.then(end, end);
    return unanswered = sight;
  };
  const recent = cached(LOOK_MS, clock, begin);
  // One look at a time: a later caller with an earlier answer would overtake others in its lane.
  const lastLook = () => unanswered ?? recent();
  return {
    async state(bytes = 0) {
      const last = lastLook();
      const takenBytes = last.takenBytes += bytes;
      const seen = await last.seen;
      if (seen === undefined) return { kind: "lost" };
      return roomState(seen.diskBytes - takenBytes, seen.reusableBytes, floorBytes);
    },
    async freeSpaceBytes() {
      const { diskBytes, reusableBytes } = await lastLook().seen ?? NO_ROOM;
      return roomFor(diskBytes, reusableBytes);
    },
    close: () => file.close(),
  };
}

/** Bytes free on the disk that holds `path`. */
export async function freeBytesAt(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(dirname(path));
  return bavail * bsize;
}

/**
 * Calls `action` as soon as the disk is well. The runtime ends the process if the queue of a store
 * meets a full disk, so the queue is not used before there is room.
 */
export function onceWell(
  disk: Pick<Disk, "state">,
  clock: Pick<Clock, "after">,
  action: () => void,
): { stop(): void } {
  let stopped = false;
  let cancel = () => {};
  const look = async () => {
    // A look fails while another process holds the store.
    const state = await disk.state().catch(() => undefined);
    if (stopped) return;
    if (state?.kind === "well") action();
    else cancel = clock.after(LOOK_AGAIN_MS, look);
  };
  void look();
  return {
    stop() {
      stopped = true;
      cancel();
    },
  };
}

/** The store's file as SQLite sees it; what is removed leaves free room in the file. */
export class FreePages {
  readonly #database: DatabaseSync;
  readonly #freePages;
  readonly #pageBytes: number;

  constructor(path: string) {
    // Through SQLite: opening and closing the file directly would drop SQLite's locks on it.
    this.#database = new DatabaseSync(path, { readOnly: true });
    this.#freePages = this.#database.prepare("PRAGMA freelist_count");
    this.#pageBytes = Number(this.#database.prepare("PRAGMA page_size").get()?.page_size);
  }

  /** Bytes of the file that hold nothing. */
  reusableBytes(): number {
    return Number(this.#freePages.get()?.freelist_count) * this.#pageBytes;
  }

  close(): void {
    this.#database.close();
  }
}
