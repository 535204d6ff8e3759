/** Connections without sockets: two ends of one, and one that plays what a test wrote down. */
import type { Duplex } from "../../src/zmtp/duplex.ts";

/** One direction: what is written comes out in pieces of at most `piece` bytes. */
class Stream {
  readonly #piece: () => number;
  #held: number[] = [];
  #ended = false;
  #wake = () => {};

  constructor(piece: () => number) {
    this.#piece = piece;
  }

  write(bytes: Uint8Array): void {
    if (this.#ended) throw new Error("Broken pipe");
    this.#held.push(...bytes);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#held.length === 0) {
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const taken = this.#held.splice(0, Math.min(buffer.length, Math.max(1, this.#piece())));
    buffer.set(taken);
    return taken.length;
  }
}

/** The two ends of a connection. `piece` tells how many bytes the next read gets at most. */
export function pipe(piece: () => number = () => Infinity): readonly [Duplex, Duplex] {
  const there = new Stream(piece);
  const back = new Stream(piece);
  const end = (source: Stream, sink: Stream): Duplex => ({
    read: (buffer) => source.read(buffer),
    write: (bytes) => {
      try {
        sink.write(bytes);
        return Promise.resolve(bytes.length);
      } catch (error) {
        return Promise.reject(error);
      }
    },
    close() {
      source.end();
      sink.end();
    },
  });
  return [end(back, there), end(there, back)];
}

export interface Recording extends Duplex {
  /** Everything that was written to it. */
  readonly written: Uint8Array[];
  readonly closed: number;
  readonly reads: number;
  /** The most bytes ever asked for at once. */
  readonly largestRead: number;
}

/**
 * A peer that says `bytes` in pieces of these sizes, repeated from the first, then ends; or stays
 * silent, if `silent`, until it is closed.
 */
export function recording(
  bytes: Uint8Array,
  pieces: readonly number[] = [Infinity],
  silent = false,
): Recording {
  let at = 0;
  let reads = 0;
  let closed = 0;
  let largestRead = 0;
  const written: Uint8Array[] = [];
  const end = Promise.withResolvers<null>();
  return {
    written,
    get closed() {
      return closed;
    },
    get reads() {
      return reads;
    },
    get largestRead() {
      return largestRead;
    },
    read(buffer) {
      const piece = Math.max(1, pieces[reads++ % pieces.length] ?? 1);
      largestRead = Math.max(largestRead, buffer.length);
      const taken = bytes.subarray(at, at + Math.min(piece, buffer.length));
      if (taken.length === 0) return silent ? end.promise : Promise.resolve(null);
      at += taken.length;
      buffer.set(taken);
      return Promise.resolve(taken.length);
    },
    write(part) {
      written.push(part.slice());
      return Promise.resolve(part.length);
    },
    close() {
      closed++;
      end.resolve(null);
    },
  };
}
