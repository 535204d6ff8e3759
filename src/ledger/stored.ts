/**
 * How records are stored: JSON as bytes, whose size is known and not doubled by non-Latin text.
 * After it, behind a line end, come the first bytes of the export's payload or answer.
 */
import type { ExportRecord, Lease } from "../exports/record.ts";
import { PART_BYTES } from "../limits.ts";

/** Version of the stored format; version 1 ends with its JSON. Newer ones are refused. */
const SCHEMA = 2;

/** How an export is stored. */
export interface Layout {
  /** Place in the lane. */
  readonly order: number;
  /** Whether a key of the lane records that place; see `lanes.ts`. */
  readonly hasPlace: boolean;
  /** The first bytes of its payload, or of its answer once it is finished. */
  readonly first: Uint8Array;
  /** In how many parts the rest of it is stored. */
  readonly parts: number;
}

/** A layout, and the versions at which it was read. */
export interface Stored extends Layout {
  readonly versions: { readonly record: string; readonly lease: string | null };
}

/** An export as stored. */
export interface StoredExport extends Layout {
  readonly record: ExportRecord;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
/** Does not occur within JSON. */
const LINE_END = 0x0a;

export function encodeExport({ first, ...rest }: StoredExport): Uint8Array {
  const head = encoder.encode(JSON.stringify({ schema: SCHEMA, ...rest }));
  const bytes = new Uint8Array(head.byteLength + 1 + first.byteLength);
  bytes.set(head);
  bytes[head.byteLength] = LINE_END;
  bytes.set(first, head.byteLength + 1);
  return bytes;
}

/** @throws if a newer version wrote it */
export function decodeExport(bytes: Uint8Array): StoredExport {
  const end = bytes.indexOf(LINE_END);
  const head = end === -1 ? bytes : bytes.subarray(0, end);
  const { schema, ...stored } = JSON.parse(decoder.decode(head));
  if (schema > SCHEMA) {
    throw new Error(
      `Cannot read an export of schema ${schema}: this version knows ${SCHEMA}; ` +
        `start the version that wrote it`,
    );
  }
  return schema === SCHEMA
    ? { ...stored, first: bytes.subarray(end + 1) }
    : { ...stored, hasPlace: true, first: NOTHING, parts: formerParts(stored.record) };
}

const NOTHING = new Uint8Array();

function formerParts(record: ExportRecord): number {
  if (record.state !== "finished") return Math.ceil(record.payload.bytes / PART_BYTES);
  const { result } = record;
  return result.kind === "answered" ? Math.ceil(result.answerBytes / PART_BYTES) : 0;
}

export function encodeLease(lease: Lease): Uint8Array {
  return encoder.encode(JSON.stringify(lease));
}

export function decodeLease(bytes: Uint8Array): Lease {
  return JSON.parse(decoder.decode(bytes));
}

/** What a place in a lane says of its export, so that lanes alone suffice to count open exports. */
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
