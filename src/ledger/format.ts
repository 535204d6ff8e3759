/**
 * The format of a store as a whole: which keys there are and what they mean. A store that says
 * nothing is of format 1, as the first version wrote it. A newer one is refused, never guessed at.
 */
import { keys } from "./keys.ts";

/** The format that this version reads and writes. */
export const FORMAT = 1;

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

/** Notes the format in a store that says nothing of it; a later start may find no room for that. */
export async function noteFormat(kv: Deno.Kv): Promise<void> {
  const key = keys.format();
  if ((await kv.get(key)).value !== null) return;
  await kv.atomic().check({ key, versionstamp: null }).set(key, FORMAT).commit();
}
