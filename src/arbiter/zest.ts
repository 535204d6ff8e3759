/**
 * Zest, the arbiter's protocol: this service's one request, and what may come back. Pure: bytes in
 * network order; never sends anything and never throws.
 */
import { ARBITER_TOKEN_BYTES_MAX, NAME_BYTES_MAX } from "./arbiter_limits.ts";

export type ZestFault =
  | "token_too_long"
  | "name_too_long"
  /** The answer is not Zest, or not up to its last byte. */
  | "answer_malformed"
  /** A success without a secret in it. */
  | "secret_missing"
  /** An error number that no arbiter is known to send. */
  | "refusal_unknown"
  | ZestRefusal;

export type EncodedZest =
  | { readonly kind: "encoded"; readonly bytes: Uint8Array }
  | { readonly kind: "failed"; readonly code: "token_too_long" | "name_too_long" };

export type ZestAnswer =
  | { readonly kind: "content"; readonly payload: Uint8Array }
  /** `number` is the code as received. */
  | { readonly kind: "failed"; readonly code: ZestFault; readonly number: number | undefined };

/** The arbiter's codes, numbered as in CoAP. */
const REFUSALS = {
  128: "bad_request",
  /** The name is unknown to the arbiter, or the token is not the one registered for it. */
  129: "unauthorized",
  134: "not_acceptable",
  141: "request_too_long",
  143: "content_format_unsupported",
  160: "internal_error",
  163: "unavailable",
} as const;

export type ZestRefusal = typeof REFUSALS[keyof typeof REFUSALS];

const REFUSAL_NAMES: ReadonlyMap<number, ZestRefusal> = new Map(
  Object.entries(REFUSALS).map(([number, name]) => [Number(number), name]),
);

const GET = 1;
const CREATED = 65;
const DELETED = 66;
const CONTENT = 69;

const OPTION_URI_HOST = 3;
const OPTION_URI_PATH = 11;
const OPTION_CONTENT_FORMAT = 12;
const FORMAT_JSON = Uint8Array.of(0, 50);

/** Code, number of options, length of the token. */
const HEADER_BYTES = 4;
/** Number and length. */
const OPTION_HEAD_BYTES = 4;

/**
 * The request for the secret.
 *
 * @param token as it was handed to this service, byte for byte
 * @param name under which the arbiter knows this service
 */
export function encodeGetSecret(token: Uint8Array, name: string): EncodedZest {
  const host = new TextEncoder().encode(name);
  if (token.length > ARBITER_TOKEN_BYTES_MAX) return { kind: "failed", code: "token_too_long" };
  if (host.length > NAME_BYTES_MAX) return { kind: "failed", code: "name_too_long" };
  // In the order in which all arbiters so far have received them.
  const options = [
    option(OPTION_URI_PATH, new TextEncoder().encode("/store/secret")),
    option(OPTION_URI_HOST, host),
    option(OPTION_CONTENT_FORMAT, FORMAT_JSON),
  ];
  const header = [GET, options.length, ...uint16(token.length)];
  return { kind: "encoded", bytes: Uint8Array.from([...header, ...token, ...options.flat()]) };
}

/** Reads an answer to the last byte. Its options are skipped, whatever they say. */
export function decodeAnswer(bytes: Uint8Array): ZestAnswer {
  const [number, options] = bytes;
  if (number === undefined || options === undefined) return malformed(number);
  // Only a client sends a token.
  if (uint16At(bytes, 2) !== 0) return malformed(number);
  if (number !== CONTENT) return refusalOf(number, bytes.subarray(1));

  let start = HEADER_BYTES;
  for (let seen = 0; seen < options; seen++) {
    const length = uint16At(bytes, start + 2);
    if (length === undefined) return malformed(number);
    start += OPTION_HEAD_BYTES + length;
  }
  if (start > bytes.length) return malformed(number);
  return { kind: "content", payload: bytes.subarray(start) };
}

/** Any answer other than a content is four bytes, all zero but the first. */
function refusalOf(number: number, rest: Uint8Array): ZestAnswer {
  if (rest.length !== HEADER_BYTES - 1 || rest.some((byte) => byte !== 0)) return malformed(number);
  const empty = number === CREATED || number === DELETED;
  const code = REFUSAL_NAMES.get(number) ?? (empty ? "secret_missing" : "refusal_unknown");
  return { kind: "failed", code, number };
}

function malformed(number: number | undefined): ZestAnswer {
  return { kind: "failed", code: "answer_malformed", number };
}

function option(number: number, value: Uint8Array): number[] {
  return [...uint16(number), ...uint16(value.length), ...value];
}

function uint16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

/** The number in the two bytes at `start`, if both are there. */
function uint16At(bytes: Uint8Array, start: number): number | undefined {
  const [high, low] = bytes.subarray(start, start + 2);
  return high === undefined || low === undefined ? undefined : high << 8 | low;
}
