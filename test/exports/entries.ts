/** Entries of the ledger about exports, as short as tests want to write them. */
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";

export const AT = Date.UTC(2026, 0, 1);
export const WHERE = { host: "a.example", path: "/in" };
export const DATA = { bytes: 7, sha256: "5ha" };

export type Ended = Extract<LedgerEntry, { kind: "attempt.ended" }>;

export function accepted(id: string, owner = "ann"): LedgerEntry {
  return { kind: "export.accepted", at: AT, id, owner, ...DATA, ...WHERE };
}

export function started(id: string, attempt = 1): LedgerEntry {
  return { kind: "attempt.started", at: AT + attempt, id, attempt, ...DATA, ...WHERE };
}
