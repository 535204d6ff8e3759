/** Verdicts on whole chains; {@link verifyStored} takes the steps of `deno task ledger`. */
import {
  type ChainHead,
  type ChainVerdict,
  concluded,
  followed,
  membersIn,
  unread,
} from "../../src/ledger/chain.ts";
import { readVerifying, type StoredChain, verdictOn } from "../../src/ledger/read_chains.ts";

/** Follows the chain of `instance` from its beginning to its end, or to where it breaks. */
export async function verifyChain(
  instance: string,
  entries: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  end?: ChainHead,
): Promise<ChainVerdict> {
  let verdict = unread(instance);
  for await (const bytes of entries) {
    verdict = followed(verdict, bytes, membersIn(bytes));
    if (verdict.kind === "broken") break;
  }
  return concluded(verdict, end);
}

/** Verifies a chain. */
export async function verifyStored(chain: StoredChain): Promise<ChainVerdict> {
  let verdict = unread(chain.instance);
  for await (const read of readVerifying(chain)) verdict = read.verdict;
  return verdictOn(verdict, chain.end);
}
