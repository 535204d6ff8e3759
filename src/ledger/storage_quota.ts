/**
 * Bounds the bytes that an owner's exports may leave in the store: a leaky bucket that holds a
 * day's worth and drains at that rate. While it is over-full nothing more is accepted, but what was
 * accepted is always added. In memory only: a restart empties it.
 */
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import type { OverQuota } from "./ledger.ts";
import { ENTRY_BYTES, RECORD_AND_KEYS_BYTES } from "./store_limits.ts";

const DAY_MS = 86_400_000;
/** How often owners whose buckets are empty are forgotten. */
const SWEEP_MS = 60_000;

interface Level {
  readonly bytes: number;
  /** When the bucket held that many. */
  readonly at: number;
}

const EMPTY: Level = { bytes: 0, at: 0 };

export class StorageQuota {
  readonly #bytesPerDay: number;
  /** An owner without an entry has an empty bucket. */
  readonly #levels = new Map<string, Level>();
  #sweptAt = 0;

  constructor(bytesPerDay: number) {
    this.#bytesPerDay = bytesPerDay;
  }

  /** How many owners are remembered. */
  get owners(): number {
    return this.#levels.size;
  }

  /** The refusal for an owner whose bucket is over-full at `now`. */
  exceeded(owner: string, now: number): OverQuota | undefined {
    const bytesPerDay = this.#bytesPerDay;
    const excess = this.#bytes(owner, now) - bytesPerDay;
    return excess > 0
      ? { kind: "over_quota", bytesPerDay, waitMs: excess * DAY_MS / bytesPerDay }
      : undefined;
  }

  /** Adds `bytes` for `owner`; negative `bytes` are taken back. */
  add(owner: string, bytes: number, now: number): void {
    this.#sweep(now);
    this.#levels.set(owner, { bytes: this.#bytes(owner, now) + bytes, at: now });
  }

  /** Bytes in the bucket. If the clock was put back, it drains from the new time on. */
  #bytes(owner: string, now: number): number {
    const { bytes, at } = this.#levels.get(owner) ?? EMPTY;
    if (now < at) this.#levels.set(owner, { bytes, at: now });
    const drained = Math.max(0, now - at) * this.#bytesPerDay / DAY_MS;
    return Math.max(0, bytes - drained);
  }

  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < SWEEP_MS) return;
    this.#sweptAt = now;
    for (const owner of this.#levels.keys()) {
      if (this.#bytes(owner, now) === 0) this.#levels.delete(owner);
    }
  }
}

/** Roughly what an acceptance leaves in the store: its record, its keys and its entries. */
export function bytesOfAcceptance(uri: string, entries: readonly LedgerEntry[]): number {
  return RECORD_AND_KEYS_BYTES + uri.length + bytesOfEntries(entries);
}

/** Roughly what entries take in the ledger, for ever. */
export function bytesOfEntries(entries: readonly LedgerEntry[]): number {
  return entries.reduce(
    (sum, entry) => sum + ENTRY_BYTES + ("path" in entry ? entry.path.length : 0),
    0,
  );
}
