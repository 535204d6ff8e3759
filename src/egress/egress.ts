/**
 * The room's entry point: one guard, used when an export is accepted and again at each attempt.
 * Never decides what a refusal or a failure means for the export.
 */
import type { Clock } from "../clock.ts";
import { CONNECT_TIMEOUT_MS, RESOLVE_TIMEOUT_MS } from "../limits.ts";
import { createGuard, type Resolve } from "./guard.ts";
import { type KeepLimits, KeptConnections } from "./kept_connections.ts";
import type { EgressPolicy } from "./policy.ts";
import { createSendRequest, type SendRequest } from "./request.ts";
import { adviceFor } from "./rules.ts";
import type { Trust } from "./trust.ts";

export interface EgressParts {
  readonly policy: EgressPolicy;
  /** The addresses of this machine at present; nothing is sent to them. */
  readonly ownAddresses: () => readonly string[];
  readonly clock: Clock;
  readonly resolve: Resolve;
  /** Limit on a whole attempt, milliseconds. */
  readonly attemptTimeoutMs: number;
  /** Longest answer kept, bytes. */
  readonly answerBytesMax: number;
  /** Who may vouch for destinations' certificates. */
  readonly trust: Trust;
  /** Limits on keeping connections for their lane's next request. */
  readonly keep: KeepLimits;
}

export interface Egress {
  /** Judges a destination as far as possible without asking a name server. */
  checkDestination(uri: string):
    | { readonly kind: "permitted" }
    | { readonly kind: "malformed"; readonly detail: string }
    | { readonly kind: "refused"; readonly rule: string; readonly detail: string };
  /** Sends one request within the limits; never rejects for anything that a destination does. */
  readonly send: SendRequest;
  /** Closes the connections that are kept. */
  close(): void;
}

export function createEgress(parts: EgressParts): Egress {
  const { policy, clock, attemptTimeoutMs, answerBytesMax, trust, keep } = parts;
  const kept = new KeptConnections(clock, keep);
  const guard = createGuard({ ...parts, resolveTimeoutMs: RESOLVE_TIMEOUT_MS });
  const limits = { connectTimeoutMs: CONNECT_TIMEOUT_MS, attemptTimeoutMs, answerBytesMax };
  return {
    checkDestination(uri) {
      const verdict = guard.check(uri);
      if (verdict.kind === "permitted") return verdict;
      const { rule } = verdict;
      const detail = `\`uri\`: ${adviceFor(rule, policy)}`;
      // A `uri` that is not a URL is malformed, not a closed destination.
      return rule === "url"
        ? { kind: "malformed", detail }
        : { kind: "refused", rule, detail: `${detail} Rule: ${rule}.` };
    },
    send: createSendRequest({ guard, clock, kept, limits, trust }),
    close: () => kept.close(),
  };
}
