/**
 * Hands on what a connection receives in small pieces, each when its reader is ready. The runtime
 * reads up to 2 MiB at once, and a parser that gets them at once makes an object of every chunk in
 * them: of the smallest, a GiB; and until it is done, nobody else has a turn. Never looks into them.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";

/** Holds fewer than 3,000 chunks, and takes no more than some milliseconds to parse. */
const PIECE_BYTES = 16_384;

const ALWAYS = () => true;

/** Stands between a socket and its readers; waits for the event loop while they are not ready. */
export class Pieces {
  /** Whether the reader is ready for the next piece. */
  isReady: () => boolean = ALWAYS;
  readonly #socket: Socket;
  readonly #clock: Pick<Clock, "after">;
  readonly #push: (part: Uint8Array | null) => boolean;
  /** Received and not handed on yet; `null` is the end. */
  readonly #held: (Uint8Array | null)[] = [];
  #cancelTurn = () => {};

  constructor(socket: Socket, clock: Pick<Clock, "after">) {
    this.#socket = socket;
    this.#clock = clock;
    this.#push = socket.push.bind(socket);
    const read = socket._read.bind(socket);
    socket.push = (part: Uint8Array | null) => this.#take(part);
    socket._read = (size) => {
      if (this.#held.length === 0) return read(size);
      // What is pushed during this call would not be handed on at once.
      queueMicrotask(() => this.#give());
    };
    socket.once("close", () => {
      this.#cancelTurn();
      this.#held.length = 0;
    });
  }

  /** Whether everything received was handed on. */
  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** The next reader is always ready. */
  release(): void {
    this.isReady = ALWAYS;
  }

  /** Takes over what was received; returns whether more may be read from the network. */
  #take(part: Uint8Array | null): boolean {
    const isShort = part === null || part.length <= PIECE_BYTES;
    if (isShort && this.#held.length === 0) return this.#push(part);
    this.#held.push(part);
    // Otherwise the next piece follows when it is asked for.
    if (this.#held.length === 1) this.#give();
    return false;
  }

  /** Hands on one piece, now or in another turn of the event loop. */
  #give(): void {
    if (this.#held.length === 0) return;
    if (!this.isReady()) {
      this.#cancelTurn = this.#clock.after(0, () => this.#give());
      return;
    }
    const [first = null] = this.#held;
    if (first === null || first.length <= PIECE_BYTES) this.#held.shift();
    else this.#held[0] = first.subarray(PIECE_BYTES);
    this.#push(first?.subarray(0, PIECE_BYTES) ?? null);
  }
}
