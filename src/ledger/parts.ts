/**
 * How payloads and answers are stored: the first bytes in their export's record, as many as its row
 * has room for, the rest in parts. Pure except for reading them.
 */
import { hash } from "node:crypto";
import { laneOf } from "../exports/export.ts";
import type { ExportRecord } from "../exports/record.ts";
import { PART_BYTES, PARTS_IN_COMMIT } from "../limits.ts";
import { Damaged } from "./ledger.ts";
import { RECORD_BYTES_MAX, ROW_BYTES_MAX } from "./store_limits.ts";

export interface Cut {
  /** The bytes stored in the record. */
  readonly first: Uint8Array;
  readonly parts: readonly Uint8Array[];
}

/**
 * Cuts the payload of `record`, or its answer once finished, so that no row is long, or into few
 * parts if it is large; views, not copies.
 */
export function cut(content: Uint8Array, { state, uri }: ExportRecord): Cut {
  const recordBytes = RECORD_BYTES_MAX[state === "finished" ? "finished" : "unfinished"];
  const room = Math.max(0, ROW_BYTES_MAX - recordBytes - uri.length);
  const isSmall = content.byteLength <= room + PARTS_IN_COMMIT * ROW_BYTES_MAX;
  const first = content.subarray(0, isSmall ? room : 0);
  const rest = content.subarray(first.byteLength);
  const bytes = isSmall ? ROW_BYTES_MAX : PART_BYTES;
  const parts = Array.from(
    { length: Math.ceil(rest.byteLength / bytes) },
    (_, n) => rest.subarray(n * bytes, (n + 1) * bytes),
  );
  return { first, parts };
}

/** Keys per `getMany` (KV's limit). */
const KEYS_PER_READ = 10;

/**
 * Content of `bytes` bytes, put together again.
 *
 * @param keyOf the key of part `n`
 * @throws {Damaged} if a part is missing or the sizes do not add up
 */
export async function readContent(
  kv: Deno.Kv,
  { first, parts }: { readonly first: Uint8Array; readonly parts: number },
  bytes: number,
  keyOf: (n: number) => Deno.KvKey,
): Promise<Uint8Array> {
  if (parts === 0 && first.byteLength === bytes) return first;
  const content = new Uint8Array(bytes);
  let offset = 0;
  const append = (value: Uint8Array) => {
    if (offset + value.byteLength <= bytes) content.set(value, offset);
    offset += value.byteLength;
  };
  append(first);
  const all = Array.from({ length: parts }, (_, n) => keyOf(n));
  for (let read = 0; read < all.length; read += KEYS_PER_READ) {
    const entries = await kv.getMany<Uint8Array[]>(all.slice(read, read + KEYS_PER_READ));
    for (const { key, value } of entries) {
      if (!(value instanceof Uint8Array)) {
        throw new Damaged(`Cannot read ${key.join("/")}: missing`);
      }
      append(value);
    }
  }
  if (offset !== bytes) throw new Damaged(`Cannot read parts: ${offset} bytes instead of ${bytes}`);
  return content;
}

/**
 * Nothing may leave that was not accepted, nor go anywhere else: the record has the digest of its
 * payload, and its lane is one of its owner and its destination.
 *
 * @throws {Damaged} if the payload or the record is not what was accepted
 */
export function assertUnaltered(payload: Uint8Array, record: ExportRecord): void {
  const isPayload = hash("sha256", payload) === record.payload.sha256;
  if (isPayload && laneOf(record.owner, record.uri) === record.lane) return;
  throw new Damaged("Cannot read it: it has been altered");
}
