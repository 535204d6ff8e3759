/**
 * One connection to one of the addresses it was given. Never resolves a name, never reuses a
 * connection, never goes through a proxy, and hands out a TLS one only once the destination has
 * proved its name.
 *
 * On the runtime's own sockets, not on node:tls. In Deno 2.9.6 that one believes a certificate of
 * X.509 version 1 which merely names an added CA, and ends the process over a certificate with a
 * malformed date, which any destination may send along.
 */
import { addAbortSignal, type Duplex } from "node:stream";
import type { Clock } from "../clock.ts";
import { hostOf } from "./destination.ts";
import { type FailureCode, failureOf } from "./failure.ts";
import { streamOver } from "./stream.ts";

export interface Target {
  readonly url: URL;
  /** Tried in this order. */
  readonly addresses: readonly string[];
  /** PEM certificates trusted besides the default roots. */
  readonly extraCa: readonly string[];
}

export interface ConnectLimits {
  readonly clock: Clock;
  /** Over the TCP connect and the TLS handshake. */
  readonly timeoutMs: number;
  /** Ends the connection whenever it aborts, also when it is long open. */
  readonly signal: AbortSignal;
}

export type Opened =
  | { readonly kind: "open"; readonly socket: Duplex; readonly address: string }
  | { readonly kind: "failed"; readonly code: FailureCode; readonly address: string };

/** A first packet unanswered for so long is sent again; meanwhile another address may be nearer. */
const NEXT_ADDRESS_AFTER_MS = 1_000;

export async function openConnection(target: Target, limits: ConnectLimits): Promise<Opened> {
  const { url, addresses, extraCa } = target;
  const late = new AbortController();
  const cancel = limits.clock.after(limits.timeoutMs, () => late.abort());
  const signal = AbortSignal.any([limits.signal, late.signal]);
  // The last one tried, as long as none is reached.
  let address = addresses.at(-1) ?? "";
  let socket: Duplex | undefined;
  try {
    const tcp = await connectTcp(target, limits.clock, signal);
    address = tcp.remoteAddr.hostname;
    const tls = url.protocol === "https:"
      ? await Deno.startTls(tcp, {
        hostname: hostOf(url),
        caCerts: [...extraCa],
        alpnProtocols: ["http/1.1"],
      })
      : undefined;
    socket = streamOver(tls ?? tcp);
    // An error that comes when nobody waits for it any more must not end the process.
    socket.on("error", () => {});
    addAbortSignal(signal, socket);
    await tls?.handshake();
    return { kind: "open", socket, address };
  } catch (error) {
    socket?.destroy();
    return { kind: "failed", code: late.signal.aborted ? "timed_out" : failureOf(error), address };
  } finally {
    cancel();
  }
}

async function connectTcp(
  { url, addresses }: Target,
  clock: Clock,
  signal: AbortSignal,
): Promise<Deno.TcpConn> {
  const port = Number(url.port === "" ? (url.protocol === "https:" ? 443 : 80) : url.port);
  for (const [index, hostname] of addresses.entries()) {
    const isLast = index === addresses.length - 1;
    const slow = new AbortController();
    const cancel = isLast ? () => {} : clock.after(NEXT_ADDRESS_AFTER_MS, () => slow.abort());
    try {
      return await Deno.connect({ hostname, port, signal: AbortSignal.any([signal, slow.signal]) });
    } catch (error) {
      if (isLast || signal.aborted) throw error;
    } finally {
      cancel();
    }
  }
  throw new TypeError("Cannot connect: no address was given");
}
