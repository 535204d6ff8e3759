/**
 * `deno task ledger`: prints the ledger, one entry a line, oldest first; with `--left` what left
 * the box; with `--verify` whether the hash chain is intact. Reads a copy of the store: it changes
 * nothing and disturbs no running service.
 */
import { departuresIn } from "../exports/departures.ts";
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import type { ChainVerdict } from "../ledger/chain.ts";
import { requireFormat } from "../ledger/format.ts";
import { readChains, type StoredChain, verifyStored } from "../ledger/read_chains.ts";
import { runCommand } from "../machine/run_command.ts";
import { flagsOf, UsageError } from "../machine/flags.ts";
import { readSettings } from "../machine/settings.ts";
import { openCopy } from "../machine/store_copy.ts";

const USAGE = `Usage: deno task ledger [--left | --verify]

  --left     what left the box: a line for each attempt in which data left, or may have
  --verify   follow the hash chain instead of printing the entries

The service may run meanwhile: then the entries are those of the moment.
Exits 0, or 1 if a chain is broken or there is no store.`;

/** What to show of the ledger. */
export type View = "entries" | "left" | "verdict";

/** Prints a view of the ledger in `kv`; returns the exit code: 1 if a chain was found broken. */
export async function printLedger(
  kv: Deno.Kv,
  view: View,
  print: (line: string) => void,
): Promise<number> {
  let exitCode = 0;
  for await (const chain of readChains(kv)) {
    switch (view) {
      case "entries":
        for await (const bytes of chain.entries) print(utf8.decode(bytes));
        break;
      case "left":
        for await (const departure of departuresIn(parsed(chain.entries))) {
          print(JSON.stringify(departure));
        }
        break;
      case "verdict": {
        const verdict = await verifyStored(chain);
        print(describe(chain.instance, verdict));
        if (verdict.kind === "broken") exitCode = 1;
      }
    }
  }
  return exitCode;
}

async function* parsed(entries: StoredChain["entries"]): AsyncGenerator<LedgerEntry> {
  for await (const bytes of entries) yield JSON.parse(utf8.decode(bytes));
}

const utf8 = new TextDecoder();

function describe(instance: string, verdict: ChainVerdict): string {
  return verdict.kind === "intact"
    ? `intact: ${verdict.head.seq} entries of ${instance}, ending in ${verdict.head.hash}`
    : `BROKEN: ledger of ${instance}, entry ${verdict.seq}: ${verdict.reason}`;
}

function viewIn(args: readonly string[]): View {
  const options = {
    left: { type: "boolean", default: false },
    verify: { type: "boolean", default: false },
  } as const;
  const { left, verify } = flagsOf({ args: [...args], options }, USAGE).values;
  if (left && verify) throw new UsageError(`--left or --verify, not both\n\n${USAGE}`);
  return left ? "left" : verify ? "verdict" : "entries";
}

if (import.meta.main) {
  await runCommand(async (print) => {
    const view = viewIn(Deno.args);
    const { EXPORT_KV_PATH: path, EXPORT_FREE_SPACE_FLOOR: floorBytes } = readSettings();
    const store = await openCopy(path, floorBytes);
    try {
      await requireFormat(store.kv);
      return await printLedger(store.kv, view, print);
    } finally {
      store.close();
    }
  }, USAGE);
}
