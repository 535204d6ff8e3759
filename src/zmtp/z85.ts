/**
 * Z85, the text form of CURVE keys (ZeroMQ RFC 32). Strict: text that does not encode exactly one
 * byte string is refused, including any with spaces or line ends. Never throws on text.
 */
import { viewOf } from "./bytes.ts";

const ALPHABET =
  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
const DIGITS: ReadonlyMap<string, number> = new Map(
  [...ALPHABET].map((digit, value) => [digit, value]),
);

/** Five digits stand for four bytes. */
const GROUP_DIGITS = 5;
const GROUP_BYTES = 4;
const UINT32_MAX = 0xffff_ffff;

/**
 * The bytes that `text` stands for, or `undefined` if it is not Z85.
 */
export function decodeZ85(text: string): Uint8Array | undefined {
  if (text.length % GROUP_DIGITS !== 0) return undefined;
  const bytes = new Uint8Array(text.length / GROUP_DIGITS * GROUP_BYTES);
  const view = viewOf(bytes);
  for (let at = 0; at < text.length; at += GROUP_DIGITS) {
    let value = 0;
    for (const digit of text.slice(at, at + GROUP_DIGITS)) {
      const digitValue = DIGITS.get(digit);
      if (digitValue === undefined) return undefined;
      value = value * ALPHABET.length + digitValue;
    }
    // Five digits can encode more than four bytes can hold.
    if (value > UINT32_MAX) return undefined;
    view.setUint32(at / GROUP_DIGITS * GROUP_BYTES, value);
  }
  return bytes;
}
