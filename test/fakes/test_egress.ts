/** The way out as tests need it: on a clock that they hold, to this machine, with small limits. */
import { createEgress, type Egress, type EgressParts } from "../../src/egress/egress.ts";
import { DEFAULT_POLICY, type EgressPolicy } from "../../src/egress/policy.ts";
import { createTrust } from "../../src/egress/trust.ts";

export const KEEP = { idleMs: 4_000, ageMs: 60_000, max: 8 };

/** A signal that stops nothing. */
export const NEVER = new AbortController().signal;

/** Loopback is open, and where every name leads, unless `parts` says otherwise. */
export function createTestEgress(
  { policy, ...parts }: Pick<EgressParts, "clock"> & Partial<Omit<EgressParts, "policy">> & {
    readonly policy?: Partial<EgressPolicy>;
  },
): Egress {
  return createEgress({
    policy: { ...DEFAULT_POLICY, allowLoopback: true, ...policy },
    ownAddresses: () => [],
    resolve: () => Promise.resolve(["127.0.0.1"]),
    attemptTimeoutMs: 30_000,
    answerBytesMax: 1_000,
    trust: createTrust(),
    keep: KEEP,
    ...parts,
  });
}
