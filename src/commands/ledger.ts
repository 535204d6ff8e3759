/**
 * `deno task ledger`: prints the ledger, one entry a line, oldest first; with `--left` what left
 * the box; with `--open` what is not finished; with `--verify` whether the hash chain is intact.
 * Whatever it prints, it says if the chain is not. Reads a copy of the store: it changes nothing
 * and disturbs no running service.
 */
import { departuresIn } from "../exports/departures.ts";
import { isLedgerEntry, type LedgerEntry } from "../exports/ledger_entry.ts";
import { stillOpenIn } from "../exports/still_open.ts";
import { type ChainVerdict, unread } from "../ledger/chain.ts";
import { requireFormat } from "../ledger/format.ts";
import {
  readChains,
  type ReadEntry,
  readVerifying,
  type StoredChain,
  verdictOn,
} from "../ledger/read_chains.ts";
import { type Print, runCommand } from "../machine/run_command.ts";
import { flagsOf, UsageError } from "../machine/flags.ts";
import { readSettings } from "../machine/settings.ts";
import { openCopy } from "../machine/store_copy.ts";
import { namingDamage } from "../machine/store_file.ts";

const USAGE = `Usage: deno task ledger [--left | --open | --verify]

  --left     what left the box: a line for each attempt in which data left, or may have
  --open     what was accepted and is not finished, and what came of it so far: a line for each
  --verify   follow the hash chain instead of printing the entries

The service may run meanwhile: then the entries are those of the moment.
Exits 0, or 1 if a chain is broken, or there is no store, or no ledger in it.`;

/** What to show of the ledger. */
export type View = "entries" | "left" | "open" | "verdict";

/** Where results go, and what is wrong with them. */
export interface Output {
  readonly print: Print;
  readonly warn: Print;
}

/** Prints a view of the ledger in `kv`; returns the exit code: 1 if anything was found wrong. */
export async function printLedger(kv: Deno.Kv, view: View, output: Output): Promise<number> {
  let chains = 0;
  let wrong = 0;
  for await (const chain of readChains(kv)) {
    chains++;
    wrong += await printChain(chain, view, output);
  }
  if (chains === 0) output.warn(NO_LEDGER);
  else if (wrong > 0 && view !== "verdict") output.warn(INCOMPLETE);
  return chains > 0 && wrong === 0 ? 0 : 1;
}

const NO_LEDGER =
  "There is no ledger in the store at EXPORT_KV_PATH, and a service begins one at " +
  "its first start: set it to where the store is, or restore a backup if that lost everything.";

const INCOMPLETE = "The ledger was changed or damaged: what is shown may be incomplete or wrong. " +
  "Run `deno task ledger --verify`, here and on a backup.";

/** Returns how much was found wrong with the chain. */
async function printChain(
  chain: StoredChain,
  view: View,
  { print, warn }: Output,
): Promise<number> {
  let verdict = unread(chain.instance);
  let leftOut = 0;
  async function* readable<T>(meaningOf: (read: ReadEntry) => T | undefined): AsyncGenerator<T> {
    for await (const read of readVerifying(chain)) {
      verdict = read.verdict;
      const meaning = meaningOf(read);
      if (meaning !== undefined) {
        yield meaning;
        continue;
      }
      leftOut++;
      warn(`Entry ${read.seq} of ${chain.instance} cannot be read and is left out`);
    }
  }
  switch (view) {
    case "entries":
      for await (const line of readable(lineOf)) print(line);
      break;
    case "left":
      for await (const departure of departuresIn(readable(entryOf))) {
        print(JSON.stringify(departure));
      }
      break;
    case "open":
      for await (const open of stillOpenIn(readable(entryOf))) print(JSON.stringify(open));
      break;
    case "verdict":
      for await (const _ of readable(() => true));
  }
  verdict = verdictOn(verdict, chain.end);
  if (view === "verdict") print(describe(chain.instance, verdict));
  else if (verdict.kind === "broken") warn(describe(chain.instance, verdict));
  return leftOut + (verdict.kind === "broken" ? 1 : 0);
}

function lineOf({ bytes, members }: ReadEntry): string | undefined {
  return members && utf8.decode(bytes);
}

function entryOf({ members }: ReadEntry): LedgerEntry | undefined {
  return members !== undefined && isLedgerEntry(members) ? members : undefined;
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
    open: { type: "boolean", default: false },
    verify: { type: "boolean", default: false },
  } as const;
  const { left, open, verify } = flagsOf({ args: [...args], options }, USAGE).values;
  if ([left, open, verify].filter((is) => is).length > 1) {
    throw new UsageError(`One of --left, --open and --verify at a time\n\n${USAGE}`);
  }
  return left ? "left" : open ? "open" : verify ? "verdict" : "entries";
}

if (import.meta.main) {
  await runCommand(async (print, warn) => {
    const view = viewIn(Deno.args);
    const { EXPORT_KV_PATH: path, EXPORT_FREE_SPACE_FLOOR: floorBytes } = readSettings();
    return await namingDamage(path, async () => {
      const store = await openCopy(path, floorBytes);
      try {
        await requireFormat(store.kv);
        return await printLedger(store.kv, view, { print, warn });
      } finally {
        store.close();
      }
    });
  }, USAGE);
}
