/**
 * What two sockets declare about themselves at the end of the handshake: names and values. Reads to
 * the last byte or refuses; never skips what it cannot parse.
 */
import { asciiBytes, asciiText, concatBytes, uint32Bytes, viewOf } from "./bytes.ts";
import { ZmtpError } from "./zmtp_error.ts";

export interface Property {
  /** In lower case: names are case-insensitive. */
  readonly name: string;
  readonly value: Uint8Array;
}

export function encodeProperty(name: string, value: Uint8Array): Uint8Array {
  const nameBytes = asciiBytes(name);
  return concatBytes(
    Uint8Array.of(nameBytes.length),
    nameBytes,
    uint32Bytes(value.length),
    value,
  );
}

/**
 * @throws {ZmtpError}
 */
export function readMetadata(bytes: Uint8Array): Property[] {
  const properties: Property[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const [nameSize = 0] = rest;
    const name = asciiText(rest.subarray(1, 1 + nameSize));
    const sized = rest.subarray(1 + nameSize);
    // A name that is cut off has no size behind it.
    if (!/^[A-Za-z0-9\-_.+]+$/.test(name) || sized.length < 4) throw malformed();
    const valueEnd = 4 + viewOf(sized).getUint32(0);
    if (valueEnd > sized.length) throw malformed();
    properties.push({ name: name.toLowerCase(), value: sized.subarray(4, valueEnd) });
    rest = sized.subarray(valueEnd);
  }
  return properties;
}

function malformed(): ZmtpError {
  return new ZmtpError("metadata_malformed", "The metadata of the peer is cut off or misspelt");
}
