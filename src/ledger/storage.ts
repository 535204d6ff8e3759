/**
 * What may still be written when the store's disk fills up, or the store is taken away. Pure; never
 * looks at a disk.
 */

/** The state of the storage that holds the store. */
export type StorageState =
  | { readonly kind: "well" }
  /** There is less room than the floor: enough to finish what was begun, not to begin more. */
  | { readonly kind: "low"; readonly roomBytes: number }
  /** There is less room than half of the floor. */
  | { readonly kind: "exhausted"; readonly roomBytes: number }
  /** The file is gone or was replaced: what is written now is lost when the process ends. */
  | { readonly kind: "lost" };

/** Returns the state as it will be once `bytes` more are written. */
export type Storage = (bytes?: number) => Promise<StorageState>;

/**
 * The state of a store with this much free on its disk and in its own file. Some must be free on
 * the disk in any case: a change goes to the write-ahead log before it goes to the file.
 */
export function roomState(
  diskBytes: number,
  reusableBytes: number,
  floorBytes: number,
): StorageState {
  const roomBytes = roomFor(diskBytes, reusableBytes);
  if (roomBytes >= floorBytes) return { kind: "well" };
  return { kind: roomBytes >= floorBytes / 2 ? "low" : "exhausted", roomBytes };
}

/** The room that is compared with the floor. */
export function roomFor(diskBytes: number, reusableBytes: number): number {
  return Math.max(0, Math.min(diskBytes + reusableBytes, diskBytes / LOG_SHARE));
}

/**
 * Share of the floor that must be free on the disk, 32 MiB by default: SQLite's log is copied into
 * the file whenever it passes 4 MiB.
 */
const LOG_SHARE = 1 / 4;

/** What a write is for: keeping more, starting an attempt, or ending it. */
export type StorageUse = "accept" | "claim" | "settle";

/** The store should not be written to now; the message says why. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}

/**
 * Settling takes little room, and preventing it would resend what has arrived: only a lost store
 * stops it.
 *
 * @throws {StorageError} if `use` is not permitted in this state
 */
export function assertStorage(state: StorageState, use: StorageUse): void {
  switch (state.kind) {
    case "well":
      return;
    case "low":
      if (use === "accept") throw tooFull(state.roomBytes);
      return;
    case "exhausted":
      if (use !== "settle") throw tooFull(state.roomBytes);
      return;
    case "lost":
      throw new StorageError(
        "Cannot write to the store: its file was removed or replaced; put it back, or restart",
      );
  }
}

function tooFull(roomBytes: number): StorageError {
  const room = `${Math.floor(roomBytes / 1_048_576)} MiB`;
  return new StorageError(
    `Cannot write to the store: ${room} are left for it; free some of its disk, or lower ` +
      "EXPORT_FREE_SPACE_FLOOR",
  );
}
