/**
 * The hash chain over the ledger's entries. Pure. An entry is stored as exactly the bytes that were
 * hashed: JSON with its number first, the hash of the entry before it second. So a removal, an
 * insertion or a change anywhere shows in every later link.
 */
import { hash } from "node:crypto";
import type { LedgerEntry } from "../exports/ledger_entry.ts";

/** The end of a chain: number and hash of its last entry. */
export interface ChainHead {
  readonly seq: number;
  /** SHA-256 of the last entry's bytes, hex. */
  readonly hash: string;
}

const encoder = new TextEncoder();

/** The head of a chain without entries; names the instance, so that chains cannot be swapped. */
export function emptyChain(instance: string): ChainHead {
  return { seq: 0, hash: hash("sha256", `databox export ledger ${instance}`) };
}

/** The bytes of the next entry and the head that it leads to. */
export function link(
  head: ChainHead,
  entry: LedgerEntry,
  marks: Readonly<Record<string, true>>,
): { readonly bytes: Uint8Array; readonly head: ChainHead } {
  const seq = head.seq + 1;
  const bytes = encoder.encode(JSON.stringify({ seq, prev: head.hash, ...entry, ...marks }));
  return { bytes, head: { seq, hash: hash("sha256", bytes) } };
}

/** What verification found; `seq` is the first entry that does not follow from those before it. */
export type ChainVerdict =
  | { readonly kind: "intact"; readonly head: ChainHead }
  | { readonly kind: "broken"; readonly seq: number; readonly reason: string };

/**
 * Follows the chain of `instance` from its beginning. With `end`, the last entry must be the one it
 * names, so that a chain cut off at the end is detected too.
 */
export async function verifyChain(
  instance: string,
  entries: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  end?: ChainHead,
): Promise<ChainVerdict> {
  let head = emptyChain(instance);
  for await (const bytes of entries) {
    const seq = head.seq + 1;
    const found = numberAndLink(bytes);
    if (found === undefined) return broken(seq, "not a ledger entry");
    if (found.seq !== seq) return broken(seq, `entry ${found.seq} stands in its place`);
    if (found.prev !== head.hash) return broken(seq, unlinked(head));
    head = { seq, hash: hash("sha256", bytes) };
  }
  if (end !== undefined && end.hash !== head.hash) {
    return head.seq === end.seq
      ? broken(end.seq, "is not the entry that was written last")
      : broken(Math.min(head.seq + 1, end.seq), `the chain should end at entry ${end.seq}`);
  }
  return { kind: "intact", head };
}

function unlinked({ seq }: ChainHead): string {
  return seq === 0
    ? "does not begin this chain"
    : `does not follow from entry ${seq}: one of the two was changed`;
}

function broken(seq: number, reason: string): ChainVerdict {
  return { kind: "broken", seq, reason };
}

function numberAndLink(bytes: Uint8Array): { seq: unknown; prev: unknown } | undefined {
  try {
    const entry: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const isEntry = typeof entry === "object" && entry !== null && "seq" in entry &&
      "prev" in entry;
    return isEntry ? { seq: entry.seq, prev: entry.prev } : undefined;
  } catch {
    return undefined;
  }
}
