/**
 * The things worth recording for ever. An entry holds sizes, hashes, hosts, times and outcomes;
 * never a token, a payload or a query string.
 */
import { type AttemptFailure, FAILURES } from "./failure.ts";

/** Where an export goes, as far as the ledger may record it. */
export interface HostAndPath {
  /** Host, with the port unless it is the scheme's default. */
  readonly host: string;
  readonly path: string;
}

/** One entry, before the chain gives it its number and its link. `at` is ms since the epoch. */
export type LedgerEntry =
  | Readonly<
    {
      kind: "export.accepted";
      at: number;
      id: string;
      owner: string;
      bytes: number;
      sha256: string;
    } & HostAndPath
  >
  | Readonly<{
    kind: "export.refused";
    at: number;
    reason: string;
    method: string;
    route: string;
    owner?: string;
    host?: string;
  }>
  | Readonly<{ kind: "refusals.omitted"; at: number; count: number; owner?: string }>
  | Readonly<
    {
      kind: "attempt.started";
      at: number;
      id: string;
      attempt: number;
      bytes: number;
      sha256: string;
    } & HostAndPath
  >
  | Readonly<
    { kind: "attempt.lapsed"; at: number; id: string; attempt: number; next?: "finished" }
  >
  | Readonly<{
    kind: "attempt.ended";
    at: number;
    id: string;
    attempt: number;
    ms: number;
    outcome: "answered" | AttemptFailure;
    next: "finished" | "retry";
    status?: number;
    answerBytes?: number;
    address?: string;
    firstSentTo?: string;
    unsent?: true;
    rule?: string;
    dueAt?: number;
  }>;

/** Host and path of `uri`, without query, fragment or credentials. */
export function hostAndPathOf(uri: string): HostAndPath {
  const url = URL.parse(uri);
  // Without a host, as in `blob:…`, the path may hold anything.
  return url === null || url.host === ""
    ? { host: "", path: "" }
    : { host: url.host, path: url.pathname };
}

/** What every entry of a kind tells, besides when. */
const TOLD: ReadonlyMap<unknown, readonly string[]> = new Map(Object.entries(
  {
    "export.accepted": ["id", "owner", "bytes", "sha256", "host", "path"],
    "export.refused": ["reason", "method", "route"],
    "refusals.omitted": ["count"],
    "attempt.started": ["id", "attempt", "bytes", "sha256", "host", "path"],
    "attempt.lapsed": ["id", "attempt"],
    "attempt.ended": ["id", "attempt", "ms", "outcome", "next"],
  } satisfies Record<LedgerEntry["kind"], readonly string[]>,
));

/** Of these, the numbers; the others are texts. */
const NUMBERS = ["bytes", "count", "attempt", "ms"];

/** Whether what was read is an entry as this version writes them, and not one that was garbled. */
export function isLedgerEntry(value: object): value is LedgerEntry {
  const members: Readonly<Record<string, unknown>> = { ...value };
  const { kind, at, dueAt = at, outcome = "answered" } = members;
  const isTold = (name: string) =>
    NUMBERS.includes(name) ? typeof members[name] === "number" : typeof members[name] === "string";
  return TOLD.get(kind)?.every(isTold) === true && isTime(at) && isTime(dueAt) &&
    (outcome === "answered" || Object.hasOwn(FAILURES, String(outcome)));
}

function isTime(value: unknown): boolean {
  return typeof value === "number" && !Number.isNaN(new Date(value).getTime());
}
