/**
 * The 64 bytes with which both sides of ZMTP 3 begin. Announces version 3.0, because 3.1 would
 * require more than one request needs. Never negotiates: another version or mechanism is refused.
 */
import { asciiBytes, concatBytes, equalBytes } from "./bytes.ts";
import type { ByteSource } from "./duplex.ts";
import { ZmtpError } from "./zmtp_error.ts";

const SIGNATURE_FIRST = 0xff;
const SIGNATURE_LAST = 0x7f;
/** Signature of ten bytes, and the major version. */
const OPENING_BYTES = 11;
/** Minor version, mechanism, as-server and 31 bytes of filler. */
const REST_BYTES = 53;
const MAJOR_VERSION = 3;
const MECHANISM_BYTES = 20;

const MECHANISM = concatBytes(asciiBytes("CURVE"), new Uint8Array(MECHANISM_BYTES - 5));

/** The greeting of a client. */
export function clientGreeting(): Uint8Array {
  const opening = new Uint8Array(OPENING_BYTES);
  opening[0] = SIGNATURE_FIRST;
  opening[9] = SIGNATURE_LAST;
  opening[10] = MAJOR_VERSION;
  const rest = new Uint8Array(REST_BYTES);
  rest.set(MECHANISM, 1);
  return concatBytes(opening, rest);
}

/**
 * Reads the peer's greeting and checks it. The opening is checked before the rest is awaited, since
 * an older or foreign peer sends no more. The as-server bit is not checked: libzmq never sets it.
 *
 * @throws {ZmtpError}
 */
export async function readGreeting(source: ByteSource): Promise<void> {
  const opening = await source.take(OPENING_BYTES);
  if (opening[0] !== SIGNATURE_FIRST || opening[9] !== SIGNATURE_LAST) {
    throw new ZmtpError("greeting_invalid", "The peer does not greet as ZMTP does");
  }
  const [major = 0] = opening.subarray(10);
  if (major < MAJOR_VERSION) {
    throw new ZmtpError("version_unsupported", `The peer speaks version ${major} of ZMTP, not 3`);
  }
  const rest = await source.take(REST_BYTES);
  if (!equalBytes(rest.subarray(1, 1 + MECHANISM_BYTES), MECHANISM)) {
    throw new ZmtpError("mechanism_unsupported", "The peer wants another mechanism than CURVE");
  }
}
