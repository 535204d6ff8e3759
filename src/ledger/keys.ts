/** Every key in the store, and their sizes. */

/** Builders of all keys; each comment says what the value is. */
export const keys = {
  /** Format of the store, a number; absent in stores of the first version. */
  format: (): Deno.KvKey => ["format"],
  /** This store's name, made at its first opening. */
  instance: (): Deno.KvKey => ["instance"],
  /** {@link StoredExport}. */
  export: (id: string): Deno.KvKey => ["export", id],
  /** Part `n` of the payload, after the first bytes, which are in the record. */
  payload: (id: string, n: number): Deno.KvKey => ["payload", id, n],
  /** Part `n` of the answer to that attempt, likewise. */
  answer: (id: string, attempt: number, n: number): Deno.KvKey => ["answer", id, attempt, n],
  /** The key holds the export's place in the lane; the value its owner and size. */
  place: (lane: string, order: number, id: string): Deno.KvKey => ["lane", lane, order, id],
  /** Prefix of the places in a lane, or of all places. */
  places: (...lane: string[]): Deno.KvKey => ["lane", ...lane],
  /** Lease of the lane's head, which it names. */
  lease: (lane: string): Deno.KvKey => ["lease", lane],
  leases: (): Deno.KvKey => ["lease"],
  /** When the parts of a large payload began to be written, and how many there are. */
  staged: (id: string): Deno.KvKey => ["staged", id],
  stagings: (): Deno.KvKey => ["staged"],
  /** Export that an owner's `Idempotency-Key` opened. */
  idempotency: (owner: string, key: string): Deno.KvKey => ["idempotency", owner, key],
  /** Last link of an instance's chain. */
  chain: (instance: string): Deno.KvKey => ["chain", instance],
  chains: (): Deno.KvKey => ["chain"],
  /** Entries of an instance's chain from number `seq` on, as the hashed bytes; see `pages.ts`. */
  page: (instance: string, seq: number): Deno.KvKey => ["ledger", instance, seq],
  /** Prefix of an instance's pages, or of all pages. */
  pages: (...instance: string[]): Deno.KvKey => ["ledger", ...instance],
  /** Secrets to verify tokens with: the present one, and former ones in their grace period. */
  secrets: (): Deno.KvKey => ["secrets"],
  /** A dummy that is no real export; see `look_up.ts`. */
  decoy: (): Deno.KvKey => ["decoy"],
  /** When the store was last proved writable. */
  probe: (): Deno.KvKey => ["probe"],
} as const;

/** Upper bound of a key's encoded size, bytes. */
export function keyBytes(key: Deno.KvKey): number {
  return key.reduce<number>(
    (sum, part) => sum + (typeof part === "string" ? 3 * part.length + 2 : 10),
    0,
  );
}
