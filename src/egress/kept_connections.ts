/**
 * Connections that have carried an answer and may carry the next request. One is reused only for
 * the same lane, so that owners never share one, and only if its address has just been vetted.
 * Never opens a connection, and never looks at what goes over one.
 */
import type { Agent } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { Pieces } from "./pieces.ts";

/** An open connection and the agent that speaks HTTP on it, and on no other. */
export interface Connection {
  readonly socket: Socket;
  readonly agent: Agent;
  readonly pieces: Pieces;
  /** The address it was opened to. */
  readonly address: string;
  readonly openedAt: number;
}

export interface KeepLimits {
  /** How long a connection may wait for its next request, ms. */
  readonly idleMs: number;
  /** How old it may grow, ms. */
  readonly ageMs: number;
  /** Connections that may wait at once; beyond that, the one that has waited longest is closed. */
  readonly max: number;
}

interface Kept {
  readonly connection: Connection;
  /** Stops watching it. */
  readonly release: () => void;
}

export class KeptConnections {
  readonly #clock: Clock;
  readonly #limits: KeepLimits;
  /** By lane, longest waiting first. */
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock, limits: KeepLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** The connection of `lane`, unless it leads to none of `addresses`, is too old, or has ended. */
  take(lane: string, addresses: readonly string[]): Connection | undefined {
    const kept = this.#kept.get(lane);
    if (kept === undefined) return undefined;
    this.#kept.delete(lane);
    kept.release();
    const { connection } = kept;
    const ageMs = Math.abs(this.#clock.now() - connection.openedAt);
    const isGood = addresses.includes(connection.address) && ageMs < this.#limits.ageMs &&
      connection.socket.writable;
    if (isGood) return connection;
    connection.socket.destroy();
    return undefined;
  }

  /** Keeps a connection whose answer is complete for the next request of `lane`. */
  keep(lane: string, connection: Connection): void {
    this.#drop(lane);
    const { socket } = connection;
    const drop = () => this.#drop(lane);
    // Data that arrives now was not asked for. A connection that ends or breaks closes by itself.
    const ends = ["data", "close"] as const;
    for (const end of ends) socket.once(end, drop);
    const cancel = this.#clock.after(this.#limits.idleMs, drop);
    const release = () => {
      cancel();
      for (const end of ends) socket.off(end, drop);
    };
    this.#kept.set(lane, { connection, release });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > this.#limits.max && oldest !== undefined) this.#drop(oldest);
  }

  /** Closes all kept connections. */
  close(): void {
    for (const lane of [...this.#kept.keys()]) this.#drop(lane);
  }

  #drop(lane: string): void {
    const kept = this.#kept.get(lane);
    if (kept === undefined) return;
    this.#kept.delete(lane);
    kept.release();
    kept.connection.socket.destroy();
  }
}
