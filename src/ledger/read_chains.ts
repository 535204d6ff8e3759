/** Reads the ledger's chains back, for showing and verifying. Never writes. */
import {
  type ChainHead,
  type ChainVerdict,
  concluded,
  followed,
  type Members,
  membersIn,
  unread,
} from "./chain.ts";
import { keys } from "./keys.ts";
import { entriesIn } from "./pages.ts";

/** The chain of one instance: its entries as they were hashed, and its separately stored end. */
export interface StoredChain {
  readonly instance: string;
  readonly entries: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Absent if the chain has no entries, or if its end was removed. */
  readonly end: ChainHead | undefined;
}

/** Every chain in the store, found by the store's own name, by an end or by entries. */
export async function* readChains(kv: Deno.Kv): AsyncGenerator<StoredChain> {
  const { value: own } = await kv.get<string>(keys.instance());
  const instances = new Set(own === null ? [] : [own]);
  for await (const { key } of kv.list({ prefix: keys.chains() })) instances.add(String(key.at(-1)));
  for await (const instance of instancesWithEntries(kv)) instances.add(instance);
  for (const instance of instances) {
    const { value: end } = await kv.get<ChainHead>(keys.chain(instance));
    yield { instance, entries: entriesOf(kv, instance), end: end ?? undefined };
  }
}

/** An entry as it lies in the store. */
export interface ReadEntry {
  /** Its number; of one that does not tell, the number that it should have. */
  readonly seq: number;
  readonly bytes: Uint8Array;
  /** What it says, if it is an entry. */
  readonly members: Members | undefined;
  /** What was found of the chain up to here. */
  readonly verdict: ChainVerdict;
}

/** Reads a chain to its end, wherever it breaks, and verifies it on the way. */
export async function* readVerifying(
  { instance, entries }: StoredChain,
): AsyncGenerator<ReadEntry> {
  let verdict = unread(instance);
  let seq = 0;
  for await (const bytes of entries) {
    const members = membersIn(bytes);
    verdict = followed(verdict, bytes, members);
    seq = typeof members?.seq === "number" ? members.seq : seq + 1;
    yield { seq, bytes, members, verdict };
  }
}

/** The verdict on a chain that was read whole, which must have an end if it has entries. */
export function verdictOn(verdict: ChainVerdict, end: ChainHead | undefined): ChainVerdict {
  if (verdict.kind === "broken" || end !== undefined || verdict.head.seq === 0) {
    return concluded(verdict, end);
  }
  return { kind: "broken", seq: verdict.head.seq, reason: "the end of the chain is missing" };
}

async function* instancesWithEntries(kv: Deno.Kv): AsyncGenerator<string> {
  const prefix = keys.pages();
  let start = prefix;
  for (;;) {
    const selector = start === prefix ? { prefix } : { prefix, start };
    const [page] = await Array.fromAsync(kv.list(selector, { limit: 1 }));
    if (page === undefined) return;
    const instance = String(page.key[prefix.length]);
    yield instance;
    start = keys.pages(`${instance}\0`); // Past all of its pages.
  }
}

async function* entriesOf(kv: Deno.Kv, instance: string): AsyncGenerator<Uint8Array> {
  for await (const { value } of kv.list<Uint8Array>({ prefix: keys.pages(instance) })) {
    yield* entriesIn(value);
  }
}
