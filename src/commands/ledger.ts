/**
 * `deno task ledger`: prints the ledger, one entry a line, oldest first; with `--verify`, follows
 * its hash chain instead and says whether it is whole. Reads a copy of the store: it changes nothing and
 * is in no service's way.
 */
import type { ChainVerdict } from "../ledger/chain.ts";
import { requireFormat } from "../ledger/format.ts";
import { readChains, verifyStored } from "../ledger/read_chains.ts";
import { runCommand } from "../machine/run_command.ts";
import { flagsOf } from "../machine/flags.ts";
import { readSettings } from "../machine/settings.ts";
import { openCopy } from "../machine/store_copy.ts";

const USAGE = `Usage: deno task ledger [--verify]

  --verify   follow the hash chain instead of printing the entries

The service may run meanwhile: then the entries are those of the moment.
Exits 0, or 1 if a chain is broken or there is no store.`;

/** Prints the ledger in `kv`, or whether it is whole; returns the exit code: 1 if it is not. */
export async function printLedger(
  kv: Deno.Kv,
  verify: boolean,
  print: (line: string) => void,
): Promise<number> {
  let broken = 0;
  for await (const chain of readChains(kv)) {
    if (verify) {
      const verdict = await verifyStored(chain);
      print(describe(chain.instance, verdict));
      if (verdict.kind === "broken") broken++;
    } else {
      for await (const bytes of chain.entries) print(new TextDecoder().decode(bytes));
    }
  }
  return broken === 0 ? 0 : 1;
}

function describe(instance: string, verdict: ChainVerdict): string {
  return verdict.kind === "intact"
    ? `intact: ${verdict.head.seq} entries of ${instance}, ending in ${verdict.head.hash}`
    : `BROKEN: ledger of ${instance}, entry ${verdict.seq}: ${verdict.reason}`;
}

function verifyFlag(args: readonly string[]): boolean {
  const options = { verify: { type: "boolean", default: false } } as const;
  return flagsOf({ args: [...args], options }, USAGE).values.verify;
}

if (import.meta.main) {
  await runCommand(async (print) => {
    const verify = verifyFlag(Deno.args);
    const { EXPORT_KV_PATH: path, EXPORT_FREE_SPACE_FLOOR: floorBytes } = readSettings();
    const store = await openCopy(path, floorBytes);
    try {
      await requireFormat(store.kv);
      return await printLedger(store.kv, verify, print);
    } finally {
      store.close();
    }
  }, USAGE);
}
