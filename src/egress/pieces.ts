/**
 * Hands on what a connection receives in small pieces, each when its reader is ready. The runtime
 * reads up to 2 MiB at once, and a parser that gets them at once makes an object of every chunk in
 * them: of the smallest, a GiB; and until it is done, nobody else has a turn. Never looks into them.
 *
 * Goes on reading from the network meanwhile: Deno 2.9.6 loses the end of a TLS connection that is
 * not being read when it comes, and a connection that breaks takes along what was not read.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { ANSWER_PARTS_A_TURN } from "../limits.ts";

/** Holds fewer than 3,000 chunks, and takes no more than some milliseconds to parse. */
const PIECE_BYTES = 16_384;

export interface PiecesParts {
  readonly clock: Pick<Clock, "after">;
  /** No more is read from the network while more than this is held; the longest answer fits in. */
  readonly heldBytesMax: number;
}

/** What comes of a connection: bytes, its end, or what broke it. */
type Received = Uint8Array | null | Error;

/**
 * Stands between a socket and its readers; waits for the event loop while they are not ready. Has
 * plain members instead of functions that its users set: those made a request a quarter slower.
 */
export class Pieces {
  /** The answer whose parts must be read before the next piece comes, once its head is there. */
  answer: { readonly readableLength: number } | undefined;
  /** Parts of answers that were read. */
  parts = 0;
  /** Whether there was an error, after which no other answer can come. */
  isBroken = false;
  #partsBefore = 0;
  readonly #parts: PiecesParts;
  readonly #push: (part: Uint8Array | null) => boolean;
  readonly #destroy: (error?: Error) => Socket;
  /** Received and not handed on yet. */
  readonly #held: Received[] = [];
  #heldBytes = 0;
  #cancelTurn = () => {};

  constructor(socket: Socket, parts: PiecesParts) {
    this.#parts = parts;
    this.#push = socket.push.bind(socket);
    this.#destroy = socket.destroy.bind(socket);
    socket.push = (part: Uint8Array | null) => this.#take(part);
    const read = socket._read.bind(socket);
    socket._read = (size) => {
      if (this.isEmpty) return read(size);
      // What is pushed during this call would not be handed on at once.
      queueMicrotask(() => this.#give());
    };
    socket.destroy = (error) => {
      const isSystem = error instanceof Error && "syscall" in error;
      if (!isSystem || this.isEmpty) return this.#destroy(error);
      this.#held.push(error);
      return socket;
    };
    socket.once("error", () => {
      this.isBroken = true;
      // One of TLS does not close the socket in Deno 2.9.6.
      if (this.answer === undefined && this.isEmpty) socket.destroy();
    });
    socket.once("close", () => {
      this.#cancelTurn();
      this.#held.length = this.#heldBytes = 0;
    });
  }

  /** Whether everything received was handed on. */
  get isEmpty(): boolean {
    return this.#held.length === 0;
  }

  /** Whether nothing lies unread; after a piece of many parts others have their turn first. */
  #isReady(): boolean {
    const isMany = this.parts - this.#partsBefore > ANSWER_PARTS_A_TURN;
    this.#partsBefore = this.parts;
    return !isMany && (this.answer?.readableLength ?? 0) === 0;
  }

  /** Takes over what was received; returns whether more may be read from the network. */
  #take(part: Uint8Array | null): boolean {
    const isShort = part === null || part.length <= PIECE_BYTES;
    if (isShort && this.isEmpty) return this.#push(part);
    this.#heldBytes += part?.length ?? 0;
    // Otherwise the next piece follows when it is asked for.
    if (this.#held.push(part) === 1) this.#give();
    return this.#heldBytes <= this.#parts.heldBytesMax;
  }

  /** Hands on one piece, now or in another turn of the event loop. */
  #give(): void {
    const [first] = this.#held;
    if (first === undefined) return;
    if (!this.#isReady()) {
      this.#cancelTurn = this.#parts.clock.after(0, () => this.#give());
      return;
    }
    if (first instanceof Uint8Array && first.length > PIECE_BYTES) {
      this.#held[0] = first.subarray(PIECE_BYTES);
    } else this.#held.shift();
    if (first instanceof Error) return void this.#destroy(first);
    const piece = first && first.subarray(0, PIECE_BYTES);
    this.#heldBytes -= piece?.length ?? 0;
    this.#push(piece);
  }
}
