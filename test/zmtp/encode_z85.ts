/** The other way of Z85, for the keys of servers in tests. */
const ALPHABET =
  "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
const GROUP_DIGITS = 5;
const GROUP_BYTES = 4;
/**
 * @throws {RangeError} if `bytes` do not come in fours
 */
export function encodeZ85(bytes: Uint8Array): string {
  if (bytes.length % GROUP_BYTES !== 0) {
    throw new RangeError(`Cannot write as Z85: ${bytes.length} bytes are not a multiple of 4`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += GROUP_BYTES) {
    let rest = view.getUint32(at);
    let group = "";
    for (let digit = 0; digit < GROUP_DIGITS; digit++) {
      group = ALPHABET.charAt(rest % ALPHABET.length) + group;
      rest = Math.floor(rest / ALPHABET.length);
    }
    text += group;
  }
  return text;
}
