/**
 * One connection to one of the addresses it was given. Never resolves a name, never reuses a
 * connection, never goes through a proxy, and hands out a TLS connection only once the destination
 * has proved its name.
 *
 * Uses node:tls rather than `Deno.startTls`: in Deno 2.9.6 a handshake abandoned there keeps its
 * socket open for as long as the other side says nothing.
 */
import { once } from "node:events";
import {
  connect as connectTcp,
  isIPv6,
  type LookupFunction,
  type Socket,
  type TcpNetConnectOpts,
} from "node:net";
import { connect as connectTls, type ConnectionOptions, TLSSocket } from "node:tls";
import type { Clock } from "../clock.ts";
import { isAddress } from "./cidr.ts";
import { failureOf, type SendFailure } from "./failure.ts";
import { endSilentRecords } from "./silent_records.ts";
import { hostOf, portOf } from "./spelling.ts";
import { shield, type Trust } from "./trust.ts";

export interface Peer {
  readonly url: URL;
  /** Tried in this order, moving on to the next when one is slow. */
  readonly addresses: readonly string[];
  readonly trust: Trust;
  readonly sockets: Sockets;
}

/** Opens sockets: Node's own functions, except in a test that watches where they connect. */
export interface Sockets {
  readonly tcp: (where: TcpNetConnectOpts) => Socket;
  readonly tls: (where: ConnectionOptions) => TLSSocket;
}

export const NODE_SOCKETS: Sockets = { tcp: connectTcp, tls: connectTls };

export interface ConnectLimits {
  readonly clock: Clock;
  /** For the TCP connect and the TLS handshake together. */
  readonly timeoutMs: number;
  /** Cancels connecting; does not affect a connection once it is open. */
  readonly signal: AbortSignal;
}

export type Opened =
  | { readonly kind: "open"; readonly socket: Socket; readonly address: string }
  | { readonly kind: "failed"; readonly code: SendFailure; readonly address?: string };

export async function openConnection(peer: Peer, limits: ConnectLimits): Promise<Opened> {
  const { clock, timeoutMs, signal } = limits;
  const late = new AbortController();
  const cancel = clock.after(timeoutMs, () => late.abort());
  let address = peer.addresses.length === 1 ? peer.addresses[0] : undefined;
  let socket: Socket | undefined;
  const failed = (code: SendFailure): Opened => {
    socket?.destroy();
    return { kind: "failed", code, ...(address === undefined ? {} : { address }) };
  };
  try {
    signal.throwIfAborted();
    socket = dial(peer, clock);
    // An error that comes when nothing waits for it any more must not end the process.
    socket.on("error", () => {});
    socket.once("connect", () => address = socket?.remoteAddress ?? address);
    const ends = AbortSignal.any([signal, late.signal]);
    await once(socket, socket instanceof TLSSocket ? "secureConnect" : "connect", { signal: ends });
  } catch (error) {
    return failed(late.signal.aborted ? "timed_out" : failureOf(error));
  } finally {
    cancel();
  }
  if (socket instanceof TLSSocket && !peer.trust.accepts(socket)) {
    return failed("certificate_invalid");
  }
  return address === undefined ? failed("connection_lost") : { kind: "open", socket, address };
}

function dial({ url, addresses, trust, sockets }: Peer, clock: Clock): Socket {
  const secure = url.protocol === "https:";
  const host = hostOf(url);
  const port = portOf(url);
  // A literal connects to itself; a name only to the addresses that were checked.
  const where = { host, port, lookup: pinned(addresses) };
  if (!secure) return sockets.tcp(where);
  const socket = sockets.tls({
    ...where,
    // RFC 6066 allows no address here; the certificate is then checked against `host`.
    ...(isAddress(host) ? {} : { servername: host }),
    ...trust.options,
    ALPNProtocols: ["http/1.1"],
  });
  shield(socket);
  endSilentRecords(socket, clock);
  return socket;
}

function pinned(addresses: readonly string[]): LookupFunction {
  const answers = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (_host, _options, callback) => callback(null, answers);
}
