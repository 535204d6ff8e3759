/** What finishing adds to a change: the answer stays for a time, place and payload are removed. */
import type { Finished } from "../exports/record.ts";
import { PARTS_IN_COMMIT } from "../limits.ts";
import { keys } from "./keys.ts";
import type { Layout } from "./ledger.ts";
import { cut } from "./parts.ts";
import { writeParts } from "./staging.ts";

/**
 * Writes a large answer; everything else is left to the commit.
 *
 * @param stored how the export was stored so far
 * @param spreadMs how much longer than its retention it is kept
 */
export async function finishing(
  kv: Deno.Kv,
  record: Finished,
  { stored, answer, spreadMs }: {
    readonly stored: Layout;
    readonly answer: Uint8Array;
    readonly spreadMs: number;
  },
) {
  const { id, lane, attempts } = record;
  const { order, hasPlace, parts: payloadParts } = stored;
  const expireIn = record.expiresAt - record.finishedAt + spreadMs;
  const pieces = cut(answer, record);
  const parts = pieces.parts.map((value, n) => ({
    key: keys.answer(id, attempts, n),
    value,
    expireIn,
  }));
  const isLarge = parts.length > PARTS_IN_COMMIT;
  // An answer that is written but never settled is removed when it expires.
  if (isLarge) await writeParts(kv, parts);
  return {
    kept: { answer: pieces, expireIn },
    sets: isLarge ? [] : parts,
    deletes: [
      ...hasPlace ? [keys.lane(lane, order, id)] : [],
      ...Array.from({ length: payloadParts }, (_, n) => keys.payload(id, n)),
    ],
  };
}
