/**
 * Strict base64. One byte string has one spelling, give or take its padding: stray characters,
 * the other alphabet, wrong padding and unused bits set are refused. Never throws.
 */
import { Buffer } from "node:buffer";

export function decodeBase64(text: string, alphabet: "base64" | "base64url"): Buffer | undefined {
  // The decoder skips what it does not know; encoding its result again shows whether it did.
  const bytes = Buffer.from(text, alphabet);
  const unpadded = bytes.toString(alphabet).replace(/=+$/, "");
  const padded = unpadded.padEnd(Math.ceil(unpadded.length / 4) * 4, "=");
  return text === unpadded || text === padded ? bytes : undefined;
}
