/**
 * What left the box, derived from the ledger's entries in their order: one departure for each
 * attempt that brought its data to the destination, or may have. Pure.
 */
import { type AttemptFailure, FAILURES } from "./failure.ts";
import type { LedgerEntry } from "./ledger_entry.ts";

/** An attempt in which data left, or may have. */
export interface Departure {
  /** When the attempt began, RFC 3339. */
  readonly at: string;
  /** Whose export it was; see `ownerOf`. */
  readonly owner: string;
  readonly host: string;
  readonly path: string;
  /** The address that the data went to. */
  readonly address?: string;
  /** Another one that it may have gone to before, on a kept connection that turned out closed. */
  readonly firstSentTo?: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly id: string;
  readonly attempt: number;
  /** Whether the data arrived: `yes` if the destination answered. */
  readonly arrived: "yes" | "perhaps";
  /** `unknown` if the attempt was cut off or is still running. */
  readonly outcome: "answered" | AttemptFailure | "unknown";
  readonly status?: number;
}

type Started = Extract<LedgerEntry, { kind: "attempt.started" }>;
type Ended = Extract<LedgerEntry, { kind: "attempt.ended" }>;

/** An export that is unfinished according to the entries so far. */
interface Open {
  readonly owner: string;
  /** Its attempt that has not ended yet. */
  readonly running?: Started | undefined;
}

/** Yields each departure when its attempt is over; last, those that have no known end. */
export async function* departuresIn(
  entries: Iterable<LedgerEntry> | AsyncIterable<LedgerEntry>,
): AsyncGenerator<Departure> {
  const open = new Map<string, Open>();
  for await (const entry of entries) {
    if (!("id" in entry)) continue;
    const { owner, running } = open.get(entry.id) ?? { owner: ownerIn(entry) };
    const started = entry.kind === "attempt.started" ? entry : undefined;
    if ("next" in entry && entry.next === "finished") open.delete(entry.id);
    else open.set(entry.id, { owner, running: started });
    if (running === undefined) continue;
    const departure = departureOf(
      owner,
      running,
      entry.kind === "attempt.ended" ? entry : undefined,
    );
    if (departure !== undefined) yield departure;
  }
  for (const { owner, running } of open.values()) {
    const departure = running && departureOf(owner, running, undefined);
    if (departure !== undefined) yield departure;
  }
}

function ownerIn(entry: LedgerEntry): string {
  return entry.kind === "export.accepted" ? entry.owner : "";
}

/** `undefined` if the attempt ended before anything could leave. */
function departureOf(
  owner: string,
  { at, host, path, bytes, sha256, id, attempt }: Started,
  ended: Ended | undefined,
): Departure | undefined {
  if (ended !== undefined && !mayHaveArrived(ended)) return undefined;
  const { outcome = "unknown", status, firstSentTo } = ended ?? {};
  const address = ended && isSent(ended) ? ended.address : undefined;
  return {
    at: new Date(at).toISOString(),
    owner,
    host,
    path,
    ...(address !== undefined && { address }),
    ...(firstSentTo !== undefined && { firstSentTo }),
    bytes,
    sha256,
    id,
    attempt,
    arrived: outcome === "answered" ? "yes" : "perhaps",
    outcome,
    ...(status !== undefined && { status }),
  };
}

function mayHaveArrived(ended: Ended): boolean {
  return ended.firstSentTo !== undefined || isSent(ended);
}

/** Whether its last request went out, or may have: only on a connection, which has an address. */
function isSent({ outcome, address, unsent }: Ended): boolean {
  if (outcome === "answered") return true;
  return !unsent && address !== undefined && !FAILURES[outcome].beforeSending;
}
