/**
 * Bytes that arrive in parts, copied into one buffer as they come: kept separately, small parts
 * would take a hundred times their size. Does not decide how much is too much.
 */
export class GrowingBytes {
  readonly #bytesMax: number;
  #buffer: Uint8Array<ArrayBuffer>;
  #length = 0;

  /**
   * @param room initial size of the buffer
   * @param bytesMax the buffer never grows beyond this; no more may be appended
   */
  constructor(room: number, bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#buffer = new Uint8Array(Math.min(room, bytesMax));
  }

  get length(): number {
    return this.#length;
  }

  append(part: Uint8Array): void {
    const end = this.#length + part.length;
    if (end > this.#buffer.length) {
      const grown = new Uint8Array(Math.min(2 * end, this.#bytesMax));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(part, this.#length);
    this.#length = end;
  }

  /** The bytes appended so far; a view, not a copy. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#buffer.subarray(0, this.#length);
  }
}
