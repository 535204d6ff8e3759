/** Opens the ledger on a store that this version can read; a store has only one ledger. */
import { noteFormat, requireFormat } from "./format.ts";
import { GroupCommit } from "./group_commit.ts";
import { KvLedger, type KvLedgerParts } from "./kv_ledger.ts";
import { writeDecoy } from "./look_up.ts";
import { countOpen } from "./open_exports.ts";
import { placesAfter } from "./places.ts";

/**
 * Opens the ledger on a store; reads where the places in lanes left off, and what is open.
 *
 * @throws if a newer version wrote the store
 */
export async function openKvLedger(parts: KvLedgerParts): Promise<KvLedger> {
  await requireFormat(parts.kv);
  await noteFormat(parts.kv);
  const commits = new GroupCommit(parts);
  await writeDecoy(parts.kv);
  const open = await countOpen(parts.kv, parts.openMax);
  const nextOrder = placesAfter(await commits.lastOrder(), parts.clock);
  return new KvLedger(parts, { commits, open, nextOrder });
}
