/**
 * One request to whichever arbiter this box has: Zest for Databox 0.5, HTTPS for earlier ones.
 * Never asks twice, and never looks for an arbiter: its address and protocol are arguments.
 */
import type { Clock } from "../clock.ts";
import type { RandomBytes } from "../zmtp/curve.ts";
import { ARBITER_TIMEOUT_MS } from "./arbiter_limits.ts";
import type { FetchedSecret } from "./fetched_secret.ts";
import { fetchSecretByHttps, type HttpsFetch } from "./https_arbiter.ts";
import { type Connect, fetchSecretByZest } from "./zest_arbiter.ts";

/** The arbiter's address, and this service's credentials for it, as handed to this service. */
export type ArbiterAccess =
  | {
    readonly kind: "zest";
    /** `tcp://host:port` */
    readonly endpoint: URL;
    readonly serverKey: string;
    readonly token: Uint8Array;
    readonly name: string;
  }
  | {
    readonly kind: "https";
    /** `https://host:port` */
    readonly endpoint: URL;
    readonly key: Uint8Array;
    /** PEM of the CA that signed the arbiter's certificate, unless it is a public one. */
    readonly ca: string | undefined;
  };

export interface ArbiterNetwork {
  readonly connect: Connect;
  readonly fetch: HttpsFetch;
  readonly randomBytes: RandomBytes;
  readonly clock: Clock;
}

/** A function that asks once, within {@link ARBITER_TIMEOUT_MS}; failures are returned. */
export function createAskArbiter(
  access: ArbiterAccess,
  network: ArbiterNetwork,
): (signal: AbortSignal) => Promise<FetchedSecret> {
  const { connect, fetch, randomBytes, clock } = network;
  return (signal) => {
    const deadline = { clock, signal, timeoutMs: ARBITER_TIMEOUT_MS };
    return access.kind === "zest"
      ? fetchSecretByZest({ ...access, ...deadline, connect, randomBytes })
      : fetchSecretByHttps({ ...access, ...deadline, fetch });
  };
}
