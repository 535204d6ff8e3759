/**
 * The things worth recording for ever. An entry holds sizes, hashes, hosts, times and outcomes;
 * never a token, a payload or a query string.
 */
import type { AttemptFailure } from "./failure.ts";

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
