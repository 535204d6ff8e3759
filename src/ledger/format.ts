/**
 * The format of a store as a whole: which keys exist and what they mean. A store without a format
 * is of format 1, as the first version wrote it: each ledger entry has its own key. Since format 2
 * entries are stored in pages; since format 3 payloads and answers begin in the record, and an
 * export that was claimed as it was accepted has no place in its lane; since format 4 an export may
 * have been given up as interrupted; since format 5 its data may have been damaged. A newer format
 * is refused, never guessed at.
 */
import { keys } from "./keys.ts";

/** The format that this version writes; it also reads earlier ones. */
export const FORMAT = 5;

/**
 * Checks that the store can be read; returns its format as stored.
 *
 * @throws if a newer version wrote it
 */
export async function requireFormat(kv: Deno.Kv): Promise<Deno.KvEntryMaybe<number>> {
  const entry = await kv.get<number>(keys.format());
  const { value } = entry;
  if (value === null || value <= FORMAT) return entry;
  throw new Error(
    `Cannot open the store: it has format ${value}, and this version knows ${FORMAT}; ` +
      `start the version that wrote it, or a later one`,
  );
}

/**
 * Records the format if there is none or an older one; a later start may find the disk full.
 *
 * @throws if a newer version wrote the store
 */
export async function noteFormat(kv: Deno.Kv): Promise<void> {
  const { key, value, versionstamp } = await requireFormat(kv);
  if (value === FORMAT) return;
  await kv.atomic().check({ key, versionstamp }).set(key, FORMAT).commit();
}
