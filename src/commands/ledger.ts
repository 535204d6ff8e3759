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

const USAGE = `Usage: deno task ledger [--left | --open | --verify [--expect HASH]]

  --left          what left the box: a line for each attempt in which data left, or may have
  --open          what was accepted and is not finished, and what came of it so far
  --verify        follow the hash chain instead of printing the entries
  --expect HASH   an earlier --verify printed HASH: find where the chain leads through it

The service may run meanwhile: then the entries are those of the moment.
Exits 0, or 1 if a chain is broken, HASH is not found, or there is no store or no ledger in it.`;

/** What to show of the ledger. */
export type View = "entries" | "left" | "open" | "verdict";

/** What is asked of the ledger. */
export interface Question {
  readonly view: View;
  /** With a verdict: a hash that a chain must lead through. */
  readonly expected?: string | undefined;
}

/** Where results go, and what is wrong with them. */
export interface Output {
  readonly print: Print;
  readonly warn: Print;
}

/** Answers a question of the ledger in `kv`; returns the exit code: 1 if anything is wrong. */
export async function printLedger(
  kv: Deno.Kv,
  question: Question,
  output: Output,
): Promise<number> {
  const { view, expected } = question;
  const chains: ChainReport[] = [];
  for await (const chain of readChains(kv)) {
    chains.push(await printChain(chain, question, output));
  }
  const isWrong = chains.some((chain) => chain.isWrong);
  if (chains.length === 0) output.warn(NO_LEDGER);
  else if (isWrong && view !== "verdict") output.warn(CHANGED);
  const isMissing = expected !== undefined && !chains.some((chain) => chain.hasExpected);
  if (isMissing && chains.length > 0) output.print(`MISSING: ${expected}: ${WRITTEN_ANEW}`);
  return chains.length === 0 || isWrong || isMissing ? 1 : 0;
}

const NO_LEDGER = "There is no ledger in the store at EXPORT_KV_PATH, where a service begins one " +
  "at its first start: set it to where the store is, or restore a backup if that lost everything.";

const CHANGED = "The ledger was changed or damaged: what is shown may be incomplete or wrong. " +
  "Run `deno task ledger --verify`, here and on a backup.";

const WRITTEN_ANEW = "no chain leads through it: the ledger was cut off or written anew since, " +
  "or that was another store's.";

interface ChainReport {
  /** Whether the chain is broken, or an entry was left out. */
  readonly isWrong: boolean;
  readonly hasExpected: boolean;
}

async function printChain(
  chain: StoredChain,
  { view, expected }: Question,
  { print, warn }: Output,
): Promise<ChainReport> {
  let verdict = unread(chain.instance);
  let isWrong = false;
  let hasExpected = isAt(expected, verdict);
  async function* readable<T>(meaningOf: (read: ReadEntry) => T | undefined): AsyncGenerator<T> {
    for await (const read of readVerifying(chain)) {
      verdict = read.verdict;
      const meaning = meaningOf(read);
      if (meaning !== undefined) {
        yield meaning;
        continue;
      }
      isWrong = true;
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
      for await (const { verdict } of readable((read) => read)) {
        hasExpected ||= isAt(expected, verdict);
      }
  }
  verdict = verdictOn(verdict, chain.end);
  isWrong ||= verdict.kind === "broken";
  if (view === "verdict") print(describe(chain.instance, verdict));
  else if (verdict.kind === "broken") warn(describe(chain.instance, verdict));
  if (hasExpected) print(`found: ${expected} in the chain of ${chain.instance}`);
  return { isWrong, hasExpected };
}

function isAt(expected: string | undefined, verdict: ChainVerdict): boolean {
  return verdict.kind === "intact" && verdict.head.hash === expected;
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

/**
 * What the command line asks.
 *
 * @throws {UsageError} if `args` ask for several things, or for anything else
 */
export function questionIn(args: readonly string[]): Question {
  const options = {
    left: { type: "boolean", default: false },
    open: { type: "boolean", default: false },
    verify: { type: "boolean", default: false },
    expect: { type: "string" },
  } as const;
  const { left, open, verify, expect } = flagsOf({ args: [...args], options }, USAGE).values;
  if ([left, open, verify].filter((is) => is).length > 1) {
    throw new UsageError(`One of --left, --open and --verify at a time\n\n${USAGE}`);
  }
  const expected = expect?.toLowerCase();
  if (expected !== undefined && !(verify && HASH.test(expected))) {
    throw new UsageError(
      `--expect goes with --verify, and takes a hash that it printed\n\n${USAGE}`,
    );
  }
  return { view: left ? "left" : open ? "open" : verify ? "verdict" : "entries", expected };
}

const HASH = /^[0-9a-f]{64}$/;

if (import.meta.main) {
  await runCommand(async (print, warn) => {
    const question = questionIn(Deno.args);
    const { EXPORT_KV_PATH: path, EXPORT_FREE_SPACE_FLOOR: floorBytes } = readSettings();
    return await namingDamage(path, async () => {
      const store = await openCopy(path, floorBytes);
      try {
        await requireFormat(store.kv);
        return await printLedger(store.kv, question, { print, warn });
      } finally {
        store.close();
      }
    });
  }, USAGE);
}
