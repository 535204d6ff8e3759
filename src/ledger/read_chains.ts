/** Reads the ledger's chains back, for showing and verifying. Never writes. */
import type { ChainHead } from "./chain.ts";
import { keys } from "./keys.ts";
import { entriesIn } from "./pages.ts";

/** The chain of one instance: its entries as they were hashed, and the end that was kept apart. */
export interface StoredChain {
  readonly instance: string;
  readonly entries: AsyncIterable<Uint8Array>;
  readonly end: ChainHead;
}

/** Every chain in the store. */
export async function* readChains(kv: Deno.Kv): AsyncGenerator<StoredChain> {
  for await (const { key, value } of kv.list<ChainHead>({ prefix: keys.chains() })) {
    const instance = String(key.at(-1));
    yield { instance, entries: entriesOf(kv, instance), end: value };
  }
}

async function* entriesOf(kv: Deno.Kv, instance: string): AsyncGenerator<Uint8Array> {
  for await (const { value } of kv.list<Uint8Array>({ prefix: keys.pages(instance) })) {
    yield* entriesIn(value);
  }
}
