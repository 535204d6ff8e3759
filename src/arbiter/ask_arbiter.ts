/**
 * One question to whichever arbiter this box has: Zest for Databox 0.5, HTTPS for those before it.
 * Never asks twice, and never looks for an arbiter: where it is and how to speak to it are
 * arguments.
 */
import type { Clock } from "../clock.ts";
import type { RandomBytes } from "../zmtp/curve.ts";
import { ARBITER_TIMEOUT_MS } from "./arbiter_limits.ts";
import type { FetchedSecret } from "./fetched_secret.ts";
import { fetchSecretByHttps, type HttpsFetch } from "./https_arbiter.ts";
import { type Connect, fetchSecretByZest } from "./zest_arbiter.ts";

/** Where the arbiter is, and what proves to it who asks; all as it was handed to this service. */
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
    /** PEM that the arbiter's certificate is signed by, if not by a public authority. */
    readonly ca: string | undefined;
  };

export interface ArbiterNetwork {
  readonly connect: Connect;
  readonly fetch: HttpsFetch;
  readonly randomBytes: RandomBytes;
  readonly clock: Clock;
}

/** A function that asks once, within {@link ARBITER_TIMEOUT_MS}; a failure is a value. */
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
