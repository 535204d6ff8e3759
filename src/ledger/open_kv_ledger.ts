/** Opens the ledger on a store that this version can read; a store has only one ledger. */
import type { Clock } from "../clock.ts";
import { noteFormat } from "./format.ts";
import { GroupCommit } from "./group_commit.ts";
import { KvLedger, type KvLedgerParts } from "./kv_ledger.ts";
import { writeDecoy } from "./look_up.ts";
import { countOpen } from "./open_exports.ts";

/**
 * Opens the ledger on a store; reads where the places in lanes left off, and what is open.
 *
 * @throws if a newer version wrote the store
 */
export async function openKvLedger(parts: KvLedgerParts): Promise<KvLedger> {
  await noteFormat(parts.kv);
  const commits = new GroupCommit(parts);
  await writeDecoy(parts.kv);
  const open = await countOpen(parts.kv, parts.openMax);
  const nextOrder = placesAfter(await commits.lastOrder(), parts.clock);
  return new KvLedger(parts, { commits, open, nextOrder });
}

/**
 * Returns places in lanes in ascending order: the time in microseconds, but later than any handed
 * out before, whatever the clock says.
 *
 * @param last the last one handed out by any run on the store
 */
function placesAfter(last: number, clock: Clock): () => number {
  return () => last = Math.max(clock.now() * 1_000, last + 1);
}
