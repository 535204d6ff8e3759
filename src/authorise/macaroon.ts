/**
 * Macaroons of version 1: what is written in one, and whether a root key signed it. Takes exactly
 * the layout that arbiters mint and refuses every other spelling of it, so that a token says one
 * thing only. Never judges what a caveat asks, and never lets the location, which nobody signs,
 * out of this file.
 */
import { type Buffer, isUtf8 } from "node:buffer";
import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import { CAVEAT_BYTES_MAX, CAVEATS_MAX, TOKEN_CHARS_MAX } from "./token_limits.ts";
import { decodeBase64 } from "./base64.ts";

/** Only well-formed UTF-8 gets in, so each text stands for exactly the bytes that were signed. */
export interface Macaroon {
  readonly identifier: string;
  readonly caveats: readonly string[];
  /** Always {@link SIGNATURE_BYTES} long. */
  readonly signature: Uint8Array;
}

export type TokenFault =
  | "token_too_long"
  | "token_malformed"
  | "token_third_party"
  | "token_too_many_caveats"
  | "token_caveat_too_long";

export type Decoded =
  | { readonly kind: "decoded"; readonly macaroon: Macaroon }
  | { readonly kind: "refused"; readonly reason: TokenFault };

/** A key object, not bytes: it cannot be printed, nor mistaken for a secret not yet derived. */
export type RootKey = KeyObject;

/** An HMAC-SHA256. */
const SIGNATURE_BYTES = 32;

export function decodeMacaroon(token: string): Decoded {
  if (token.length > TOKEN_CHARS_MAX) return refused("token_too_long");
  const bytes = decodeBase64(token, "base64url");
  const packets = bytes && readPackets(bytes);
  return packets ? readMacaroon(packets) : refused("token_malformed");
}

/** Whether `rootKey` signed `macaroon`; costs as many HMACs as {@link hashesOf} returns. */
export function isSignedBy(rootKey: RootKey, macaroon: Macaroon): boolean {
  return timingSafeEqual(sign(rootKey, macaroon), macaroon.signature);
}

/** How many HMACs it takes to verify `macaroon` with one key. */
export function hashesOf({ caveats }: Macaroon): number {
  return 1 + caveats.length;
}

/** The derivation that all macaroon libraries share; the secret is always taken as text. */
export function deriveRootKey(secret: string): RootKey {
  if (secret === "") throw new RangeError("Cannot derive a root key: the secret is empty");
  return createSecretKey(hmac("macaroons-key-generator", secret));
}

function sign(rootKey: RootKey, { identifier, caveats }: Macaroon): Uint8Array {
  let signature = hmac(rootKey, identifier);
  for (const caveat of caveats) signature = hmac(signature, caveat);
  return signature;
}

function hmac(key: RootKey | Uint8Array | string, text: string): Uint8Array {
  return createHmac("sha256", key).update(text, "utf8").digest();
}

/** Turns packets, in their only permitted order, into a macaroon. */
function readMacaroon([first, second, ...rest]: readonly Packet[]): Decoded {
  // Before the order is checked, because libraries order third-party packets differently.
  if (rest.some(({ name }) => name === "vid")) return refused("token_third_party");
  const cids = rest.slice(0, -1);
  if (cids.length > CAVEATS_MAX) return refused("token_too_many_caveats");
  if (cids.some(({ value }) => value.length > CAVEAT_BYTES_MAX)) {
    return refused("token_caveat_too_long");
  }

  const location = textOf("location", first);
  const identifier = textOf("identifier", second);
  const caveats = cids.map((packet) => textOf("cid", packet));
  const signature = valueOf("signature", rest.at(-1));
  if (
    location === undefined || identifier === undefined ||
    !caveats.every((caveat) => caveat !== undefined) || signature?.length !== SIGNATURE_BYTES
  ) return refused("token_malformed");
  return { kind: "decoded", macaroon: { identifier, caveats, signature } };
}

interface Packet {
  readonly name: string;
  readonly value: Buffer;
}

const SPACE = 0x20;
const NEWLINE = 0x0a;
/** Four hex digits: the length of the packet, these digits and the closing newline included. */
const LENGTH_DIGITS = 4;

/** Cuts all of `bytes` into packets; undefined if they are not packets to the last byte. */
function readPackets(bytes: Buffer): readonly Packet[] | undefined {
  const packets: Packet[] = [];
  for (let start = 0; start < bytes.length;) {
    const digits = bytes.toString("latin1", start, start + LENGTH_DIGITS);
    if (!/^[0-9a-f]{4}$/.test(digits)) return undefined;
    const end = start + Number.parseInt(digits, 16);
    const space = bytes.indexOf(SPACE, start + LENGTH_DIGITS);
    // A space found before the newline also proves that the length reaches beyond its own digits.
    if (bytes[end - 1] !== NEWLINE || space === -1 || space >= end - 1) return undefined;
    packets.push({
      name: bytes.toString("latin1", start + LENGTH_DIGITS, space),
      value: bytes.subarray(space + 1, end - 1),
    });
    start = end;
  }
  return packets;
}

function valueOf(name: string, packet: Packet | undefined): Buffer | undefined {
  return packet?.name === name ? packet.value : undefined;
}

/** Keeps a byte order mark: `TextDecoder` drops it, and so reads two byte strings as one text. */
function textOf(name: string, packet: Packet | undefined): string | undefined {
  const value = valueOf(name, packet);
  return value && isUtf8(value) ? value.toString("utf8") : undefined;
}

function refused(reason: TokenFault): Decoded {
  return { kind: "refused", reason };
}
