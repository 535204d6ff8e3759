/**
 * What is to be sent on one socket, no faster than its client reads. Keeps the newest state of an
 * export instead of a queue of states, and reads destinations' answers only when there is room: for
 * large ones also among those of all sockets, until the client has read them.
 */
import type { Clock } from "../clock.ts";
import { answerBytesOf, openReceipt } from "../exports/receipt.ts";
import type { ExportRecord, Finished } from "../exports/record.ts";
import {
  JSON_BYTES_PER_BYTE,
  SMALL_ANSWER_BYTES,
  SOCKET_BUFFERED_BYTES_MAX,
  SOCKET_LOOK_AGAIN_MS,
  SOCKET_SLOW_MAX_MS,
} from "../limits.ts";
import type { GiveBack } from "./places.ts";
import type { ServerSocket } from "./sockets.ts";

/** An export that is reported on; `record` is the newest known. */
export interface Followed {
  record: ExportRecord;
}

export interface OutboxParts {
  readonly socket: Pick<ServerSocket, "send" | "bufferedAmount">;
  readonly clock: Clock;
  /** Takes room for `bytes` among the large answers of all sockets, if there is any. */
  readonly takeRoom: (bytes: number) => GiveBack | undefined;
  /** The frame that says how an export ended; must not reject. */
  readonly frameOf: (record: Finished) => Promise<string>;
  /** Called when the frame that says how an export ended has been sent. */
  readonly onTold: (record: Finished) => void;
  /** Called when there may be room for more. */
  readonly onRest: () => void;
  /** Called when the client has been slow for too long. */
  readonly onStuck: () => void;
}

/** A large answer that was sent; `end` counts all bytes sent, up to and including its own. */
interface Unread {
  readonly end: number;
  readonly giveBack: GiveBack;
}

export class Outbox {
  readonly #parts: OutboxParts;
  /** What is due to be sent, oldest first. */
  readonly #due = new Set<Followed>();
  /** Answers being read for the client, and their total size in bytes. */
  #reading = 0;
  #readingBytes = 0;
  #sentBytes = 0;
  readonly #unread: Unread[] = [];
  /** Whether something waits for the client to read, or for room among all sockets' answers. */
  #isHeldUp = false;
  /** Bytes that had left at the last look, and whether none had since the look before. */
  #leftBytes = 0;
  #isStalled = false;
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

  /** Whether everything that could be sent has been. */
  get atRest(): boolean {
    const isHeldUp = this.slow || this.#isHeldUp && this.#isStalled;
    return this.#reading === 0 && (this.#due.size === 0 || isHeldUp);
  }

  /** Sends a small frame at once. */
  say(frame: string): void {
    this.#send(frame);
    this.#watchClient();
  }

  /** Sends the state of an export, as it is once there is room for it. */
  tell(followed: Followed): void {
    if (this.#ended) return;
    this.#due.add(followed);
    this.#tellAll();
  }

  /** Sends nothing more. What was sent and is still unread keeps its room. */
  end(): void {
    this.#ended = true;
    this.#due.clear();
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  /** The socket is gone, and what was unread with it. */
  gone(): void {
    this.end();
    for (const { giveBack } of this.#unread.splice(0)) giveBack();
  }

  /** Returns the size of the frame in bytes. */
  #send(frame: string): number {
    const { socket } = this.#parts;
    const before = socket.bufferedAmount;
    socket.send(frame);
    const bytes = socket.bufferedAmount - before;
    this.#sentBytes += bytes;
    return bytes;
  }

  #tellAll(): void {
    this.#isHeldUp = false;
    for (const followed of this.#due) {
      const { record } = followed;
      const bytes = answerBytesOf(record);
      if (!this.#hasRoom(bytes)) {
        this.#isHeldUp = true;
        break;
      }
      const isLarge = bytes > SMALL_ANSWER_BYTES;
      const giveBack = isLarge ? this.#parts.takeRoom(bytes * JSON_BYTES_PER_BYTE) : undefined;
      if (isLarge && giveBack === undefined) {
        this.#isHeldUp = true;
        continue;
      }
      this.#due.delete(followed);
      if (record.state === "finished") void this.#tellEnd(record, giveBack);
      else this.#send(JSON.stringify(openReceipt(record)));
    }
    this.#watchClient();
  }

  /** Whether an answer of `bytes` may be read for this client: any size, if nothing else waits. */
  #hasRoom(bytes: number): boolean {
    const waiting = this.#parts.socket.bufferedAmount + this.#readingBytes;
    return waiting === 0 || waiting + bytes <= SOCKET_BUFFERED_BYTES_MAX;
  }

  async #tellEnd(record: Finished, giveBack: GiveBack | undefined): Promise<void> {
    const bytes = answerBytesOf(record);
    this.#reading++;
    this.#readingBytes += bytes;
    const frame = await this.#parts.frameOf(record);
    this.#reading--;
    this.#readingBytes -= bytes;
    if (this.#ended) return giveBack?.();
    const sentBytes = this.#send(frame);
    if (giveBack !== undefined) {
      giveBack(sentBytes);
      this.#unread.push({ end: this.#sentBytes, giveBack });
    }
    this.#parts.onTold(record);
    this.#tellAll();
    this.#parts.onRest();
  }

  /** Looks again while the client is slow or has a large answer to read, or something is due. */
  #watchClient(): void {
    const isCalm = !this.slow && this.#unread.length === 0 && this.#due.size === 0;
    if (isCalm || this.#ended || this.#cancelLook !== undefined) return;
    this.#cancelLook = this.#parts.clock.after(SOCKET_LOOK_AGAIN_MS, () => {
      this.#cancelLook = undefined;
      this.#look();
    });
  }

  #look(): void {
    const { bufferedAmount } = this.#parts.socket;
    const leftBytes = this.#sentBytes - bufferedAmount;
    this.#isStalled = leftBytes <= this.#leftBytes;
    this.#leftBytes = leftBytes;
    this.#giveBackUpTo(leftBytes);
    const isStuck = this.slow || this.#isStalled && bufferedAmount > 0;
    this.#slowMs = isStuck ? this.#slowMs + SOCKET_LOOK_AGAIN_MS : 0;
    if (this.#slowMs >= SOCKET_SLOW_MAX_MS) return this.#parts.onStuck();
    if (this.slow) return this.#watchClient();
    this.#tellAll();
    this.#parts.onRest();
  }

  /** Gives back the room of large answers that have left. */
  #giveBackUpTo(leftBytes: number): void {
    while ((this.#unread[0]?.end ?? Infinity) <= leftBytes) this.#unread.shift()?.giveBack();
  }
}
