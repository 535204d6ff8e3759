/**
 * Ends a TLS connection on which records come without data, such as session tickets without end:
 * nothing else sees them, and while they come without a pause the runtime serves nobody else. Never
 * looks into what comes.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { tooLong } from "./failure.ts";

/** Certificates take some KiB, tickets one; as many parts as an answer may have, 30 each. */
const SILENT_BYTES_MAX = 524_288;
/** Bytes on the wire per byte of data beyond that: even parts of 16 need no more. */
const WIRE_FACTOR = 3;
/** How often a connection is looked at, for as long as it is open. */
const LOOK_MS = 50;

export function endSilentRecords(socket: Socket, clock: Clock): void {
  let cancel = () => {};
  const look = () => {
    const silentBytes = bytesReceived(socket) - WIRE_FACTOR * socket.bytesRead;
    if (silentBytes > SILENT_BYTES_MAX) socket.destroy(tooLong());
    else cancel = clock.after(LOOK_MS, look);
  };
  look();
  socket.once("close", () => cancel());
}

/**
 * What came over the network, records and all, which the runtime hides. If a later runtime no
 * longer has it, nothing is ended here, and a test fails.
 */
export function bytesReceived(socket: Socket): number {
  const { _nativeTcpHandle: tcp } = Reflect.get(socket, "_handle") ?? {};
  return tcp?.getBytesRead?.() ?? 0;
}
