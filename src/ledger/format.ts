/**
 * The format of a store as a whole: which keys there are and what they mean. A store that says
 * nothing is of format 1, as the first version wrote it: each ledger entry has a key of its own there.
 * Since format 2 they lie in pages; since format 3 payloads and answers begin in the record, and an export
 * that was claimed as it was accepted has no place in its lane; since format 4 an export may have been
 * given up as interrupted. A newer one is refused, never guessed at.
 */
import { keys } from "./keys.ts";

/** The format that this version writes; it reads the ones before, too. */
export const FORMAT = 4;

/**
 * Checks that the store can be read.
 *
 * @throws if a newer version wrote it
 */
export async function requireFormat(kv: Deno.Kv): Promise<void> {
  const { value } = await kv.get<number>(keys.format());
  if (value === null || value <= FORMAT) return;
  throw new Error(
    `Cannot open the store: it has format ${value}, and this version knows ${FORMAT}; ` +
      `start the version that wrote it, or a later one`,
  );
}

/** Notes the format in a store that says nothing of it, or another; a later start may find no room. */
export async function noteFormat(kv: Deno.Kv): Promise<void> {
  const key = keys.format();
  const { value, versionstamp } = await kv.get(key);
  if (value === FORMAT) return;
  await kv.atomic().check({ key, versionstamp }).set(key, FORMAT).commit();
}
