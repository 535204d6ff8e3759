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

/** The verdict on a chain of which nothing was read yet. */
export function unread(instance: string): ChainVerdict {
  return { kind: "intact", head: emptyChain(instance) };
}

/** The verdict on a chain once one more entry was read, which says `members`. */
export function followed(
  verdict: ChainVerdict,
  bytes: Uint8Array,
  members: Members | undefined,
): ChainVerdict {
  if (verdict.kind === "broken") return verdict;
  const { head } = verdict;
  const seq = head.seq + 1;
  if (members === undefined) return broken(seq, "not a ledger entry");
  if (members.seq !== seq) return broken(seq, `entry ${members.seq} stands in its place`);
  if (members.prev !== head.hash) return broken(seq, unlinked(head));
  return { kind: "intact", head: { seq, hash: hash("sha256", bytes) } };
}

/**
 * The verdict on a chain that was read whole. With `end`, the last entry must be the one it names,
 * so that a chain cut off at the end is detected too.
 */
export function concluded(verdict: ChainVerdict, end: ChainHead | undefined): ChainVerdict {
  if (verdict.kind === "broken" || end === undefined || end.hash === verdict.head.hash) {
    return verdict;
  }
  const { seq } = verdict.head;
  return seq === end.seq
    ? broken(end.seq, "is not the entry that was written last")
    : broken(Math.min(seq + 1, end.seq), `the chain should end at entry ${end.seq}`);
}

function unlinked({ seq }: ChainHead): string {
  return seq === 0
    ? "does not begin this chain"
    : `does not follow from entry ${seq}: one of the two was changed`;
}

function broken(seq: number, reason: string): ChainVerdict {
  return { kind: "broken", seq, reason };
}

/** What an entry says, its number and its link included. */
export type Members = Readonly<Record<string, unknown>>;

/** What is written in `bytes`; `undefined` if that is no entry. */
export function membersIn(bytes: Uint8Array): Members | undefined {
  try {
    const entry: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    const isEntry = typeof entry === "object" && entry !== null && "seq" in entry &&
      "prev" in entry;
    return isEntry ? { ...entry } : undefined;
  } catch {
    return undefined;
  }
}
