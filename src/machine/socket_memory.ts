/**
 * Ends all WebSockets when the process grows too much while any are open: the runtime (Deno 2.9.6)
 * joins the pieces of a message without a bound, and shows none of it before the last one is there.
 * Which socket is to blame cannot be determined.
 */
import type { Clock } from "../clock.ts";
import { SOCKET_MEMORY_LOOK_MS } from "../limits.ts";
import type { Log } from "../log.ts";

export interface SocketMemoryParts {
  readonly clock: Pick<Clock, "after">;
  readonly log: Log;
  /** How much the process may grow. */
  readonly bytesMax: number;
  /** Bytes that the process holds outside JavaScript. */
  readonly memory?: () => number;
}

export class SocketMemory {
  readonly #parts: SocketMemoryParts;
  /** How each open socket is ended. */
  readonly #drops = new Set<() => void>();
  /** The lowest value seen since the first of them opened, or since all were ended. */
  #least = Infinity;
  #cancelLook: (() => void) | undefined;

  constructor(parts: SocketMemoryParts) {
    this.#parts = parts;
  }

  /** Counts a socket that opens; call the returned function when it is gone. */
  add(drop: () => void): () => void {
    this.#drops.add(drop);
    if (this.#cancelLook === undefined) this.#look();
    return () => {
      this.#drops.delete(drop);
      if (this.#drops.size > 0) return;
      this.#cancelLook?.();
      this.#cancelLook = undefined;
      this.#least = Infinity;
    };
  }

  #look(): void {
    const { clock, log, bytesMax, memory = nativeMemory } = this.#parts;
    const bytes = memory();
    this.#least = Math.min(this.#least, bytes);
    if (bytes - this.#least > bytesMax) {
      log({ event: "sockets.dropped", sockets: this.#drops.size, bytes: bytes - this.#least });
      this.#least = Infinity;
      for (const drop of this.#drops) drop();
    }
    this.#cancelLook = clock.after(SOCKET_MEMORY_LOOK_MS, () => this.#look());
  }
}

function nativeMemory(): number {
  const { rss, heapTotal, external } = Deno.memoryUsage();
  return rss - heapTotal - external;
}
