/**
 * The result of asking an arbiter: its secret, or why there is none. Never holds the token; the
 * detail is fit for a log.
 */
import type { ZmtpErrorCode } from "../zmtp/zmtp_error.ts";
import { DETAIL_CHARS_MAX, SECRET_BYTES_MAX } from "./arbiter_limits.ts";
import type { ZestFault } from "./zest.ts";

export type ArbiterFault =
  | ZestFault
  | ZmtpErrorCode
  /** The endpoint is not a URL of the required kind. */
  | "endpoint_invalid"
  | "connect_failed"
  | "timed_out"
  /** The caller's signal ended it. */
  | "stopped"
  /** An HTTPS answer that is neither a success nor a known refusal. */
  | "status_unexpected"
  | "answer_too_large"
  /** A failure that has no other code. */
  | "unexpected";

export type FetchedSecret =
  | { readonly kind: "secret"; readonly secret: string }
  | { readonly kind: "failed"; readonly code: ArbiterFault; readonly detail: string };

export function failed(code: ArbiterFault, detail: string): FetchedSecret {
  return { kind: "failed", code, detail };
}

/** The message of what caused `error`: that of `fetch` itself says only that it failed. */
export function detailOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof Error) return detailOf(error.cause);
  return error.message.slice(0, DETAIL_CHARS_MAX);
}

/** Characters that occur in HTML and JSON, and in no secret of an arbiter. */
const FOREIGN: ReadonlySet<number> = new Set([...'"<>\\'].map((sign) => sign.charCodeAt(0)));

/**
 * The secret in the payload of an answer, or `undefined` if it cannot be one. All arbiters send
 * letters, digits and the signs of base64 or of a UUID. Other printable ASCII is accepted, but a
 * page of HTML, a JSON text or a broken answer must not become a key that is never asked for again.
 */
export function readSecret(payload: Uint8Array): string | undefined {
  const fits = payload.length >= 1 && payload.length <= SECRET_BYTES_MAX;
  const plain = payload.every((byte) => byte > 0x20 && byte < 0x7f && !FOREIGN.has(byte));
  return fits && plain ? String.fromCharCode(...payload) : undefined;
}
