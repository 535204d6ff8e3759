/**
 * Ends a TLS connection on which records come without data, such as session tickets without end:
 * nothing else sees them, and while they come without a pause the runtime serves nobody else. Never
 * looks into what comes.
 */
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import { ANSWER_WIRE_FACTOR } from "../limits.ts";
import { TOO_LONG } from "./failure.ts";

/** Bytes without data that a connection may bring: certificates take some KiB, tickets one. */
const SILENT_BYTES_MAX = 131_072;
/** How often a connection is looked at, for as long as it is open. */
const LOOK_MS = 50;

export function endSilentRecords(socket: Socket, clock: Clock): void {
  let cancel = () => {};
  const look = () => {
    const silentBytes = bytesReceived(socket) - ANSWER_WIRE_FACTOR * socket.bytesRead;
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
  const hidden: { readonly _handle?: TlsHandle | null } = socket as never; // No type has it.
  return hidden._handle?._nativeTcpHandle?.getBytesRead?.() ?? 0;
}

interface TlsHandle {
  readonly _nativeTcpHandle?: { getBytesRead?(): number };
}

function tooLong(): Error {
  return Object.assign(new Error("Too many bytes came without data"), { code: TOO_LONG });
}
