/** The name of a store, which is also the name of its chain. Made once, never changed. */
import { keys } from "./keys.ts";

/** The store's own name; `candidate` becomes its name if it has none. */
export async function instanceOf(kv: Deno.Kv, candidate: string): Promise<string> {
  const key = keys.instance();
  const known = await kv.get<string>(key);
  // Only the first opening writes: later ones must work on a full disk.
  if (known.value !== null) return known.value;
  await kv.atomic().check({ key, versionstamp: null }).set(key, candidate).commit();
  const { value } = await kv.get<string>(key);
  return value ?? candidate;
}
