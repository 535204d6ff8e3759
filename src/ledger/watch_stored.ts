/** A watch of one export in the store itself, for what is not known from commits of this process. */
import { keys } from "./keys.ts";
import type { RecordListener } from "./ledger.ts";
import { decodeExport } from "./stored.ts";

/** Watches that export in the store, whoever changes it; the returned function stops that. */
export function watchStored(kv: Deno.Kv, id: string, listener: RecordListener): () => void {
  const reader = kv.watch<[Uint8Array]>([keys.export(id)]).getReader();
  let isStopped = false;
  const tellAll = async () => {
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done || isStopped) break;
        const [{ value: stored }] = value;
        if (stored !== null) listener.tell(decodeExport(stored).record);
      }
    } catch {
      // The store failed during the watch, or holds what this version cannot read.
    }
    if (!isStopped) listener.end();
  };
  void tellAll();
  return () => {
    isStopped = true;
    // A watch that has already failed rejects its cancellation too.
    reader.cancel().catch(() => {});
  };
}
