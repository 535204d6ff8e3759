/**
 * The connection as this room sees it: bytes in, bytes out, closed at the end. Buffers no more than
 * one read. Never opens a connection and never sets a time limit.
 */
import { READ_BYTES } from "./zmtp_limits.ts";
import { ZmtpError } from "./zmtp_error.ts";

/** Any two-way stream of bytes; a `Deno.Conn` is one. */
export interface Duplex {
  /** Reads some bytes into `buffer` and returns how many, or `null` at the end. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes` and returns how many. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Where a parser gets its bytes from. */
export interface ByteSource {
  /** The next `size` bytes, however many reads they take. */
  take(size: number): Promise<Uint8Array>;
}

export class ByteReader implements ByteSource {
  readonly #conn: Duplex;
  readonly #buffer = new Uint8Array(READ_BYTES);
  #start = 0;
  #end = 0;

  constructor(conn: Duplex) {
    this.#conn = conn;
  }

  /** Callers check `size` against a limit first: memory is allocated before the bytes arrive. */
  async take(size: number): Promise<Uint8Array> {
    const taken = new Uint8Array(size);
    for (let filled = 0; filled < size;) {
      if (this.#start === this.#end) await this.#fill();
      const end = Math.min(this.#end, this.#start + size - filled);
      taken.set(this.#buffer.subarray(this.#start, end), filled);
      filled += end - this.#start;
      this.#start = end;
    }
    return taken;
  }

  async #fill(): Promise<void> {
    const size = await lossIsNamed(() => this.#conn.read(this.#buffer));
    // A read of no bytes counts as the end too: reading again could loop for ever.
    if (size === null || size === 0) {
      throw new ZmtpError("connection_lost", "The connection ended before the reply was complete");
    }
    this.#start = 0;
    this.#end = size;
  }
}

export async function writeAll(conn: Duplex, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) {
    const size = await lossIsNamed(() => conn.write(rest));
    if (size === 0) throw new ZmtpError("connection_lost", "The connection takes no more bytes");
    rest = rest.subarray(size);
  }
}

/** Closes a connection that the peer or a withdrawn permission may already have closed. */
export function closeQuietly(conn: Duplex): void {
  try {
    conn.close();
  } catch {
    // Already closed, as intended.
  }
}

async function lossIsNamed<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw new ZmtpError("connection_lost", "The connection broke", { cause });
  }
}
