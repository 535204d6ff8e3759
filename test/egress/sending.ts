/** Requests that tests send to destinations on this machine, and what they expect of them. */
import type { SendFailure } from "../../src/egress/failure.ts";
import { assertEquals } from "@std/assert";
import { systemClock } from "../../src/clock.ts";
import { NODE_SOCKETS, type Sockets } from "../../src/egress/connection.ts";
import { createGuard, type Guard, type Resolve } from "../../src/egress/guard.ts";
import { KeptConnections } from "../../src/egress/kept_connections.ts";
import { DEFAULT_POLICY } from "../../src/egress/policy.ts";
import {
  createSendRequest,
  type OutboundRequest,
  type RequestResult,
  type SendLimits,
} from "../../src/egress/request.ts";
import { createTrust } from "../../src/egress/trust.ts";
import { KEEP, NEVER } from "../fakes/test_egress.ts";
import { type Act, listen } from "./destination.ts";

/** A limit that no test reaches unless it is about limits. */
export const PLENTY_MS = 30_000;
export const LIMITS: SendLimits = {
  connectTimeoutMs: PLENTY_MS,
  attemptTimeoutMs: PLENTY_MS,
  answerBytesMax: 1_000,
};
/** A limit that a test waits for. */
export const SHORT_MS = 150;

export interface Variation extends Partial<OutboundRequest & SendLimits> {
  readonly resolve?: Resolve;
  readonly extraCa?: string;
  readonly sockets?: Sockets;
}

/** Sends one request, to 127.0.0.1 by default, with loopback open. */
export function send(uri: string, variation: Variation = {}): Promise<RequestResult> {
  const { resolve = () => Promise.resolve(["127.0.0.1"]), extraCa, sockets, ...changes } =
    variation;
  const guard = createGuard({
    policy: { ...DEFAULT_POLICY, allowLoopback: true },
    ownAddresses: () => [],
    resolve,
    clock: systemClock,
    resolveTimeoutMs: PLENTY_MS,
  });
  const limits = { ...LIMITS, ...changes };
  return sendVetted(guard, { uri, ...changes }, { limits, extraCa, sockets });
}

/** Sends one request by way of `guard`, on a connection that is not kept longer than that. */
export async function sendVetted(
  guard: Guard,
  request: Pick<OutboundRequest, "uri"> & Partial<OutboundRequest>,
  { limits = LIMITS, extraCa, sockets = NODE_SOCKETS }: {
    readonly limits?: SendLimits;
    readonly extraCa?: string | undefined;
    readonly sockets?: Sockets | undefined;
  } = {},
): Promise<RequestResult> {
  const kept = new KeptConnections(systemClock, KEEP);
  const trust = createTrust(extraCa);
  try {
    return await createSendRequest({ guard, clock: systemClock, limits, trust, sockets, kept })({
      headers: {},
      body: new TextEncoder().encode("data"),
      lane: "lane",
      signal: NEVER,
      ...request,
    });
  } finally {
    kept.close();
  }
}

/** What comes of a request to a destination that acts so. */
export async function outcome(act: Act, variation?: Variation): Promise<RequestResult> {
  await using destination = listen(act);
  return await send(`http://dest.localhost:${destination.port}/`, variation);
}

export async function assertFails(
  code: SendFailure,
  act: Act,
  variation?: Variation,
): Promise<void> {
  const expected = { kind: "failed", code, address: "127.0.0.1" };
  assertEquals(await outcome(act, variation), expected);
}

export function answered(status: number, text: string, truncated = false): RequestResult {
  const body = new TextEncoder().encode(text);
  return { kind: "answered", status, body, truncated, address: "127.0.0.1" };
}
