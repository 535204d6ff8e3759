/**
 * Ledger entries are stored in pages, each with entries that are committed together, one per line:
 * a key and its row cost more than an entry does. Pure; an entry here is bytes without a line end.
 */
import { ROW_BYTES_MAX } from "./store_limits.ts";

/** An entry with its number in the chain. */
export interface Numbered {
  readonly seq: number;
  readonly bytes: Uint8Array;
}

const LINE_END = 0x0a;

/** `entries` in as few pages as they fit into, each with the number of its first entry. */
export function pagesOf(entries: readonly Numbered[], bytesMax: number = ROW_BYTES_MAX) {
  const pages: Numbered[] = [];
  let first = 0;
  let length = -1; // No line end before the first entry.
  for (const [n, { bytes }] of entries.entries()) {
    const longer = length + bytes.byteLength + 1;
    if (n > first && longer > bytesMax) {
      pages.push(pageOf(entries.slice(first, n)));
      first = n;
      length = bytes.byteLength;
    } else length = longer;
  }
  if (entries.length > 0) pages.push(pageOf(entries.slice(first)));
  return pages;
}

function pageOf(entries: readonly Numbered[]): Numbered {
  const size = entries.reduce((sum, { bytes }) => sum + bytes.byteLength + 1, -1);
  const page = new Uint8Array(size).fill(LINE_END);
  let at = 0;
  for (const { bytes } of entries) {
    page.set(bytes, at);
    at += bytes.byteLength + 1;
  }
  return { seq: entries[0]?.seq ?? 0, bytes: page };
}

/** The entries of a page, unchanged; a page of format 1 is one entry. */
export function entriesIn(page: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let from = 0;;) {
    const end = page.indexOf(LINE_END, from);
    if (end === -1) return [...entries, page.subarray(from)];
    entries.push(page.subarray(from, end));
    from = end + 1;
  }
}
