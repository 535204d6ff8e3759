/** What finishing adds to a change: the answer stays for a time, place and payload go. */
import type { Finished } from "../exports/record.ts";
import { EXPIRY_SPREAD_MS, PARTS_IN_COMMIT } from "../limits.ts";
import { keys } from "./keys.ts";
import { partCount, partsOf } from "./parts.ts";
import { writeParts } from "./staging.ts";

/**
 * Writes a large answer; all the rest is for the commit.
 *
 * @param chance uniform in [0, 1), spreads expiries
 */
export async function finishing(
  kv: Deno.Kv,
  record: Finished,
  { order, answer, chance }: {
    readonly order: number;
    readonly answer: Uint8Array;
    readonly chance: number;
  },
) {
  const { id, lane, attempts, payload } = record;
  const expireIn = Math.round(record.expiresAt - record.finishedAt + EXPIRY_SPREAD_MS * chance);
  const parts = partsOf(answer).map((value, n) => ({
    key: keys.answer(id, attempts, n),
    value,
    expireIn,
  }));
  const large = parts.length > PARTS_IN_COMMIT;
  // An answer that is written but never settled goes with its expiry.
  if (large) await writeParts(kv, parts);
  return {
    sets: large ? [] : parts,
    deletes: [
      keys.lane(lane, order, id),
      ...Array.from({ length: partCount(payload.bytes) }, (_, n) => keys.payload(id, n)),
    ],
    expiry: { expireIn },
  };
}
