/**
 * What is to be committed together, and its size as KV counts it, never underestimated. Pure; only
 * decides whether a commit would be too large.
 */
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import {
  COMMIT_BYTES_MAX,
  COMMIT_CHECKS_MAX,
  COMMIT_KEY_BYTES_MAX,
  COMMIT_MUTATIONS_MAX,
} from "./store_limits.ts";
import type { WakeUp } from "./bell.ts";
import { keyBytes, keys } from "./keys.ts";

/** What is to be committed together; the shared commit adds the chain and the wake-ups. */
export interface Batch {
  readonly checks?: readonly Deno.AtomicCheck[];
  readonly sets?: readonly {
    readonly key: Deno.KvKey;
    /** Bytes, or an object that takes less than {@link OBJECT_BYTES}. */
    readonly value: Uint8Array | object;
    readonly expireIn?: number;
  }[];
  readonly deletes?: readonly Deno.KvKey[];
  readonly entries?: readonly LedgerEntry[];
  readonly wakeUps?: readonly WakeUp[];
  /** Place in a lane that this change hands out; stored, so that places never go back. */
  readonly order?: number;
}

export interface Size {
  readonly checks: number;
  readonly mutations: number;
  readonly bytes: number;
  readonly keyBytes: number;
}

/** Bytes of a ledger entry with its link, rounded up, without its only long text: a URL's path. */
const ENTRY_BYTES_MAX = 1_024;
/** Bytes of a page's key; each page holds at least one entry. */
const PAGE_KEY_BYTES = keyBytes(keys.page("x".repeat(36), 0));
/** Bytes of a small object as a value: an id, a digest and a time. */
const OBJECT_BYTES = 512;
/** Room for the chain's head, and for wake-ups in a commit of many lanes. */
export const RESERVED: Size = { checks: 1, mutations: 16, bytes: 16_384, keyBytes: 2_048 };

export function sizeOf(batch: Batch): Size {
  const { checks = [], sets = [], deletes = [], entries = [], wakeUps = [] } = batch;
  const setKeys = sets.reduce((sum, { key }) => sum + keyBytes(key), 0);
  const values = sets.reduce((sum, { value }) => sum + valueBytes(value), 0);
  const deleteKeys = deletes.reduce((sum, key) => sum + keyBytes(key), 0);
  const entered = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  return {
    checks: checks.length,
    // Each entry may have a page of its own, and each wake-up a message.
    mutations: sets.length + deletes.length + wakeUps.length + entries.length,
    bytes: 2 * setKeys + values + deleteKeys + entered,
    keyBytes: setKeys + PAGE_KEY_BYTES * entries.length,
  };
}

function entryBytes(entry: LedgerEntry): number {
  return ENTRY_BYTES_MAX + ("path" in entry ? entry.path.length : 0);
}

function valueBytes(value: Uint8Array | object): number {
  return value instanceof Uint8Array ? value.byteLength : OBJECT_BYTES;
}

export function add(a: Size, b: Size): Size {
  return {
    checks: a.checks + b.checks,
    mutations: a.mutations + b.mutations,
    bytes: a.bytes + b.bytes,
    keyBytes: a.keyBytes + b.keyBytes,
  };
}

export function exceeds({ checks, mutations, bytes, keyBytes }: Size): boolean {
  return checks > COMMIT_CHECKS_MAX || mutations > COMMIT_MUTATIONS_MAX ||
    bytes > COMMIT_BYTES_MAX || keyBytes > COMMIT_KEY_BYTES_MAX;
}
