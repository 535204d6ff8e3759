/**
 * `Idempotency-Key` on submission: the same key with the same content names the export that it
 * first opened; the same key with other content is a conflict.
 */
import type { Pending } from "../exports/record.ts";
import type { Batch } from "./batch.ts";
import { keys } from "./keys.ts";
import type { Acceptance, Idempotency } from "./ledger.ts";

interface StoredKey {
  readonly id: string;
  readonly fingerprint: string;
  readonly expiresAt: number;
}

/** The key is known, or it is new and the accepting commit must reserve it. */
export type KeyUse =
  | Exclude<Acceptance, { kind: "accepted" }>
  | { readonly kind: "new"; readonly reservation: Required<Pick<Batch, "checks" | "sets">> };

/** Looks the key up for `record`, which is about to be accepted at `now`. */
export async function keyUse(
  kv: Deno.Kv,
  { id, owner }: Pending,
  idempotency: Idempotency | undefined,
  now: number,
): Promise<KeyUse> {
  if (idempotency === undefined) return { kind: "new", reservation: { checks: [], sets: [] } };
  const { fingerprint, expiresAt } = idempotency;
  const key = keys.idempotency(owner, idempotency.key);
  const { value, versionstamp } = await kv.get<StoredKey>(key);
  if (value !== null && value.expiresAt > now) {
    return value.fingerprint === fingerprint
      ? { kind: "replayed", id: value.id }
      : { kind: "conflict" };
  }
  const stored: StoredKey = { id, fingerprint, expiresAt };
  const set = { key, value: stored, expireIn: expiresAt - now };
  return { kind: "new", reservation: { checks: [{ key, versionstamp }], sets: [set] } };
}
