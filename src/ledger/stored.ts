/** How records lie in the store: JSON as bytes, whose size is known and not doubled by any script. */
import type { ExportRecord, Lease } from "../exports/record.ts";

/** Version of the stored form. A newer one is refused, never guessed at. */
const SCHEMA = 1;

/** An export as stored: `order` is its place in its lane, the number in its lane key. */
export interface StoredExport {
  readonly schema: typeof SCHEMA;
  readonly order: number;
  readonly record: ExportRecord;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeExport(order: number, record: ExportRecord): Uint8Array {
  const stored: StoredExport = { schema: SCHEMA, order, record };
  return encoder.encode(JSON.stringify(stored));
}

export function decodeExport(bytes: Uint8Array): StoredExport {
  const stored: StoredExport = JSON.parse(decoder.decode(bytes));
  if (stored.schema !== SCHEMA) {
    throw new Error(
      `Cannot read an export of schema ${stored.schema}: this version knows ${SCHEMA}; ` +
        `start the version that wrote it`,
    );
  }
  return stored;
}

export function encodeLease(lease: Lease): Uint8Array {
  return encoder.encode(JSON.stringify(lease));
}

export function decodeLease(bytes: Uint8Array): Lease {
  return JSON.parse(decoder.decode(bytes));
}

/** What a place in a lane tells of its export, so that what is open can be counted by lanes alone. */
export function encodePlace(
  { owner, payload: { bytes } }: Pick<ExportRecord, "owner" | "payload">,
): Uint8Array {
  return encoder.encode(JSON.stringify({ owner, payload: { bytes } }));
}

export function decodePlace(
  place: Uint8Array,
): { readonly owner: string; readonly payload: { readonly bytes: number } } {
  return JSON.parse(decoder.decode(place));
}
