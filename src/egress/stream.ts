/**
 * A connection in the form node:http speaks to. Moves bytes only: never looks at them, never
 * decides when to close.
 */
import { Duplex } from "node:stream";

/** Bytes asked for at once: as much as a TLS record holds. */
const READ_BYTES = 16 * 1_024;

/** Destroying the stream closes the connection, and whatever waits on it ends. */
export function streamOver(conn: Deno.Conn): Duplex {
  return new Duplex({
    read() {
      const buffer = new Uint8Array(READ_BYTES);
      conn.read(buffer).then(
        (size) => this.push(size === null ? null : buffer.subarray(0, size)),
        (error) => this.destroy(error),
      );
    },
    write(chunk: Uint8Array, _encoding, done) {
      writeAll(conn, chunk).then(() => done(), done);
    },
    destroy(error, done) {
      conn.close();
      done(error);
    },
  });
}

async function writeAll(conn: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}
