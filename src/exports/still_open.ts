/**
 * What was accepted and is not finished, derived from the ledger's entries in their order: how far
 * each export has come, and what is next. Pure; holds no more than what is open.
 */
import type { AttemptFailure } from "./failure.ts";
import type { LedgerEntry } from "./ledger_entry.ts";

/** An export that is not finished. */
export interface StillOpen {
  /** When it was accepted, RFC 3339; absent if that entry is missing. */
  readonly acceptedAt?: string;
  /** Whose export it is; see `ownerOf`. */
  readonly owner: string;
  readonly host: string;
  readonly path: string;
  readonly bytes: number;
  readonly id: string;
  /** `running` also if the attempt was cut off and none has followed yet. */
  readonly state: "waiting" | "running";
  /** Attempts begun so far; none if another export is before it in its lane. */
  readonly attempts: number;
  /** Of the last attempt that is over; `unknown` if that was cut off. */
  readonly outcome?: "answered" | AttemptFailure | "unknown";
  readonly status?: number;
  /** When it is tried again, RFC 3339. */
  readonly dueAt?: string;
}

type Told = Extract<LedgerEntry, { id: string }>;

/** Yields what is open after the last entry, in the order of acceptance. */
export async function* stillOpenIn(
  entries: Iterable<LedgerEntry> | AsyncIterable<LedgerEntry>,
): AsyncGenerator<StillOpen> {
  const open = new Map<string, StillOpen>();
  for await (const entry of entries) {
    if (!("id" in entry)) continue;
    const next = after(open.get(entry.id), entry);
    if (next === undefined) open.delete(entry.id);
    else open.set(entry.id, next);
  }
  yield* open.values();
}

/** What an export has come to with `entry`; `undefined` if it is finished, or not known at all. */
function after(before: StillOpen | undefined, entry: Told): StillOpen | undefined {
  switch (entry.kind) {
    case "export.accepted":
      return { acceptedAt: rfc3339(entry.at), ...aimOf(entry), state: "waiting", attempts: 0 };
    case "attempt.started": {
      const { dueAt: _, ...known }: Partial<StillOpen> & Aim = before ?? aimOf(entry);
      return { ...known, state: "running", attempts: entry.attempt };
    }
    case "attempt.lapsed":
      return before && entry.next !== "finished" ? cutOff(before) : undefined;
    case "attempt.ended":
      return before && entry.next !== "finished" ? toBeTriedAgain(before, entry) : undefined;
  }
}

type Aim = Pick<StillOpen, "owner" | "host" | "path" | "bytes" | "id">;

function aimOf(entry: Extract<Told, { host: string }>): Aim {
  const { host, path, bytes, id } = entry;
  return { owner: "owner" in entry ? entry.owner : "", host, path, bytes, id };
}

function cutOff({ status: _, ...before }: StillOpen): StillOpen {
  return { ...before, outcome: "unknown" };
}

function toBeTriedAgain(
  { status: _, ...before }: StillOpen,
  { outcome, status, dueAt }: Extract<Told, { kind: "attempt.ended" }>,
): StillOpen {
  return {
    ...before,
    state: "waiting",
    outcome,
    ...(status !== undefined && { status }),
    ...(dueAt !== undefined && { dueAt: rfc3339(dueAt) }),
  };
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}
