/**
 * What is to be told on one socket, no faster than its client reads. Keeps the newest state of an
 * export instead of a queue of them, and reads the answers of destinations only when there is room.
 */
import type { Clock } from "../clock.ts";
import { answerBytesOf, openReceipt } from "../exports/receipt.ts";
import type { ExportRecord, Finished } from "../exports/record.ts";
import { SOCKET_BUFFERED_BYTES_MAX, SOCKET_LOOK_AGAIN_MS, SOCKET_SLOW_MAX_MS } from "../limits.ts";
import type { ServerSocket } from "./sockets.ts";

/** An export that is told of; `record` is the newest that is known. */
export interface Followed {
  record: ExportRecord;
}

export interface OutboxParts {
  readonly socket: Pick<ServerSocket, "send" | "bufferedAmount">;
  readonly clock: Clock;
  /** The frame that tells how an export ended; must not reject. */
  readonly frameOf: (record: Finished) => Promise<string>;
  /** How an export ended was told. */
  readonly onTold: (record: Finished) => void;
  /** There may be room for more. */
  readonly onRest: () => void;
  /** The client has been slow for too long. */
  readonly onStuck: () => void;
}

export class Outbox {
  readonly #parts: OutboxParts;
  /** What is due to be told, oldest first. */
  readonly #due = new Set<Followed>();
  /** Answers being read for the client, and the bytes that they have. */
  #reading = 0;
  #readingBytes = 0;
  #slowMs = 0;
  #cancelLook: (() => void) | undefined;
  #ended = false;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Whether the client has so much to read that nothing more should be sent. */
  get slow(): boolean {
    return this.#parts.socket.bufferedAmount > SOCKET_BUFFERED_BYTES_MAX;
  }

  /** Whether everything was told that could be. */
  get atRest(): boolean {
    return this.#reading === 0 && (this.#due.size === 0 || this.slow);
  }

  /** Sends a small frame at once. */
  say(frame: string): void {
    this.#parts.socket.send(frame);
    this.#watchClient();
  }

  /** Tells of an export as it will be known when the client reads. */
  tell(followed: Followed): void {
    if (this.#ended) return;
    this.#due.add(followed);
    this.#tellAll();
  }

  end(): void {
    this.#ended = true;
    this.#due.clear();
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  #tellAll(): void {
    const { socket } = this.#parts;
    for (const followed of this.#due) {
      if (socket.bufferedAmount + this.#readingBytes > SOCKET_BUFFERED_BYTES_MAX) break;
      this.#due.delete(followed);
      const { record } = followed;
      if (record.state === "finished") void this.#tellEnd(record);
      else socket.send(JSON.stringify(openReceipt(record)));
    }
    this.#watchClient();
  }

  async #tellEnd(record: Finished): Promise<void> {
    const bytes = answerBytesOf(record);
    this.#reading++;
    this.#readingBytes += bytes;
    const frame = await this.#parts.frameOf(record);
    this.#reading--;
    this.#readingBytes -= bytes;
    if (this.#ended) return;
    this.#parts.socket.send(frame);
    this.#parts.onTold(record);
    this.#tellAll();
    this.#parts.onRest();
  }

  /** While the client is slow, looks again and again whether it still is. */
  #watchClient(): void {
    if (!this.slow || this.#ended || this.#cancelLook !== undefined) return;
    this.#cancelLook = this.#parts.clock.after(SOCKET_LOOK_AGAIN_MS, () => {
      this.#cancelLook = undefined;
      this.#look();
    });
  }

  #look(): void {
    if (!this.slow) {
      this.#slowMs = 0;
      this.#tellAll();
      return this.#parts.onRest();
    }
    this.#slowMs += SOCKET_LOOK_AGAIN_MS;
    if (this.#slowMs >= SOCKET_SLOW_MAX_MS) this.#parts.onStuck();
    else this.#watchClient();
  }
}
