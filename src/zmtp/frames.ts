/**
 * Frames of ZMTP 3: a flag byte, a size of one byte or eight, a body. A size above the limit is
 * refused before memory is allocated for it. Never interprets a body.
 */
import { concatBytes, uint64Bytes, viewOf } from "./bytes.ts";
import type { ByteSource } from "./duplex.ts";
import { ZmtpError } from "./zmtp_error.ts";

export interface Frame {
  readonly command: boolean;
  /** Whether another frame of the same message follows. */
  readonly more: boolean;
  readonly body: Uint8Array;
}

const MORE = 0b001;
const LONG = 0b010;
const COMMAND = 0b100;
const RESERVED = 0b1111_1000;
const SHORT_BYTES_MAX = 255;

export function encodeFrame({ command, more, body }: Frame): Uint8Array {
  const long = body.length > SHORT_BYTES_MAX;
  const flags = (command ? COMMAND : 0) | (long ? LONG : 0) | (more ? MORE : 0);
  const size = long ? uint64Bytes(BigInt(body.length)) : Uint8Array.of(body.length);
  return concatBytes(Uint8Array.of(flags), size, body);
}

/**
 * @throws {ZmtpError}
 */
export async function readFrame(source: ByteSource, bodyBytesMax: number): Promise<Frame> {
  const [flags = 0] = await source.take(1);
  const command = (flags & COMMAND) !== 0;
  const more = (flags & MORE) !== 0;
  if ((flags & RESERVED) !== 0) {
    throw new ZmtpError("frame_invalid", "A frame has a reserved flag set");
  }
  if (command && more) {
    throw new ZmtpError("frame_invalid", "A command says that another frame follows");
  }
  const size = (flags & LONG) === 0
    ? BigInt(viewOf(await source.take(1)).getUint8(0))
    : viewOf(await source.take(8)).getBigUint64(0);
  if (size > BigInt(bodyBytesMax)) {
    throw new ZmtpError("frame_too_large", `A frame has ${size} bytes, above ${bodyBytesMax}`);
  }
  return { command, more, body: await source.take(Number(size)) };
}
