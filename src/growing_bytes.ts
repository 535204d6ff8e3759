/**
 * Bytes that come part by part, copied together at once: kept one by one, small parts would take a
 * hundred times their bytes. Decides nothing about what is too much.
 */
import { PART_BYTES_MIN, SMALL_PARTS_MAX } from "./limits.ts";

export class GrowingBytes {
  readonly #bytesMax: number;
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;
  #parts = 0;

  /**
   * @param room for the first bytes
   * @param bytesMax more room than this is never taken; no more may be appended
   */
  constructor(room: number, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#buffer = new Uint8Array(Math.min(room, bytesMax));
  }

  get length(): number {
    return this.#length;
  }

  /**
   * Whether it comes in crumbs. Each part costs as much time as thousands of bytes, and a sender who
   * makes them small enough would keep everybody else from being served.
   */
  get isCrumbled(): boolean {
    return this.#parts > SMALL_PARTS_MAX + this.#length / PART_BYTES_MIN;
  }

  append(part: Uint8Array): void {
    this.#parts++;
    const end = this.#length + part.length;
    if (end > this.#buffer.length) {
      const grown = new Uint8Array(Math.min(2 * end, this.#bytesMax));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(part, this.#length);
    this.#length = end;
  }

  /** What came so far; a view, not a copy. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }
}
