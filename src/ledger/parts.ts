/** Payloads and answers in parts that fit a KV value. Pure but for reading them. */
import { PART_BYTES } from "../limits.ts";

/** How many parts `bytes` take; none for nothing. */
export function partCount(bytes: number): number {
  return Math.ceil(bytes / PART_BYTES);
}

/** `content` cut into parts, in order; views, not copies. */
export function partsOf(content: Uint8Array): Uint8Array[] {
  return Array.from(
    { length: partCount(content.byteLength) },
    (_, n) => content.subarray(n * PART_BYTES, (n + 1) * PART_BYTES),
  );
}

/** Keys per `getMany` (KV's limit). */
const KEYS_PER_READ = 10;

/**
 * Reads `bytes` bytes back from their parts.
 *
 * @throws if a part is missing or they do not add up: the store is damaged then
 */
export async function readParts(
  kv: Deno.Kv,
  bytes: number,
  keyOf: (n: number) => Deno.KvKey,
): Promise<Uint8Array> {
  const content = new Uint8Array(bytes);
  const all = Array.from({ length: partCount(bytes) }, (_, n) => keyOf(n));
  let offset = 0;
  for (let first = 0; first < all.length; first += KEYS_PER_READ) {
    const entries = await kv.getMany<Uint8Array[]>(all.slice(first, first + KEYS_PER_READ));
    for (const { key, value } of entries) {
      if (!(value instanceof Uint8Array)) throw new Error(`Cannot read ${key.join("/")}: missing`);
      content.set(value, offset);
      offset += value.byteLength;
    }
  }
  if (offset !== bytes) throw new Error(`Cannot read parts: ${offset} bytes instead of ${bytes}`);
  return content;
}
