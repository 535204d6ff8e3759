/** The name of a store, which is the name of its chain. Made once, never changed. */
import { keys } from "./keys.ts";

/** The store's own name; `candidate` becomes it if it has none. */
export async function instanceOf(kv: Deno.Kv, candidate: string): Promise<string> {
  const key = keys.instance();
  const known = await kv.get<string>(key);
  // Only the first opening writes: any other must work on a disk that is full.
  if (known.value !== null) return known.value;
  await kv.atomic().check({ key, versionstamp: null }).set(key, candidate).commit();
  const { value } = await kv.get<string>(key);
  return value ?? candidate;
}
