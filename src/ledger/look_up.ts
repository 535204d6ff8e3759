/**
 * Reads an export for a caller who may or may not see it. A caller who gets nothing cannot tell by
 * timing whether it exists: reading an existing record takes some microseconds more than reading a
 * missing one, so each is followed by a read of the other kind.
 */
import type { ExportRecord, Finished } from "../exports/record.ts";
import { keys } from "./keys.ts";
import type { MayRead } from "./ledger.ts";
import { readContent } from "./parts.ts";
import type { Recent } from "./recent.ts";
import { decodeExport, encodeExport, type StoredExport } from "./stored.ts";

/** Who asks, and at what time. */
interface Reader {
  readonly now: number;
  readonly mayRead: MayRead;
}

/**
 * The export with that id, unless unknown, past its retention at `now`, or not for the reader. Only
 * readers who may see it are served from `recent`: all others wait for the same two reads.
 */
export async function findExport(
  kv: Deno.Kv,
  recent: Recent,
  id: string,
  reader: Reader,
): Promise<ExportRecord | undefined> {
  const known = recent.record(id);
  if (known !== undefined && isFor(reader, known)) return known;
  const record = await read(kv, keys.export(id));
  if (record !== undefined && isFor(reader, record)) return record;
  await read(kv, record === undefined ? keys.decoy() : keys.export(""));
  return undefined;
}

/** The answer that belongs to `record`. */
export async function answerOf(
  kv: Deno.Kv,
  { id, attempts, result }: Finished,
): Promise<Uint8Array> {
  if (result.kind !== "answered" || result.answerBytes === 0) return new Uint8Array();
  const stored = await readStored(kv, keys.export(id));
  if (stored === undefined) throw new Error(`Cannot read the answer of ${id}: it is gone`);
  return await readContent(kv, stored, result.answerBytes, (n) => keys.answer(id, attempts, n));
}

/** Whether the store has, or had, that export as finished by that attempt. */
export async function isStored(kv: Deno.Kv, { id, attempts }: Finished): Promise<boolean> {
  const stored = await read(kv, keys.export(id));
  // Only finished exports are ever removed.
  return stored === undefined || stored.state === "finished" && stored.attempts === attempts;
}

/** Writes the record read after a missing one, only once: a later start may find the disk full. */
export async function writeDecoy(kv: Deno.Kv): Promise<void> {
  if (await read(kv, keys.decoy()) === undefined) {
    const layout = { order: 0, hasPlace: false, first: new Uint8Array(), parts: 0 };
    await kv.set(keys.decoy(), encodeExport({ record: DECOY, ...layout }));
  }
}

async function read(kv: Deno.Kv, key: Deno.KvKey): Promise<ExportRecord | undefined> {
  return (await readStored(kv, key))?.record;
}

/** What is stored at an export's key. */
export async function readStored(
  kv: Deno.Kv,
  key: Deno.KvKey,
): Promise<StoredExport | undefined> {
  const { value } = await kv.get<Uint8Array>(key);
  return value === null ? undefined : decodeExport(value);
}

function isFor({ now, mayRead }: Reader, record: ExportRecord): boolean {
  const isOver = record.state === "finished" && record.expiresAt <= now;
  return !isOver && mayRead(record);
}

/** As long as most records are. */
const DECOY: ExportRecord = {
  id: "00000000-0000-0000-0000-000000000000",
  owner: "nobody".padEnd(22),
  uri: "https://nowhere.invalid/".padEnd(40),
  lane: "none".padEnd(22),
  payload: { bytes: 0, sha256: "".padEnd(64) },
  acceptedAt: 1e12,
  giveUpAt: 1e12,
  attempts: 1,
  state: "finished",
  finishedAt: 1e12,
  expiresAt: 1e12,
  result: { kind: "answered", status: 200, truncated: false, answerBytes: 0 },
};
