/**
 * How an attempt can fail before there is an answer, and which of the network's many errors means
 * which. A table only: never decides whether to try again.
 */

export type SendFailure =
  /** The name has no address, or the resolver failed. */
  | "dns_error"
  /** The host is there, but nothing listens on the port. */
  | "connection_refused"
  /** The connection broke before the answer was complete. */
  | "connection_lost"
  /** There is no route to the address from here. */
  | "unreachable"
  /** The limit for connecting or for the whole attempt passed. */
  | "timed_out"
  /** The two sides could not agree on TLS, or the other one speaks none. */
  | "tls_error"
  /** The destination could not prove its name. */
  | "certificate_invalid"
  /** What came back is not an HTTP answer within limits. */
  | "invalid_answer"
  /** The guard, or the process's own permissions, refuse the destination. */
  | "destination_refused"
  /** The caller stopped the attempt. */
  | "stopped";

/** Code for an answer that we cut off, in the style of the parser's own codes. */
export const TOO_LONG = "ANSWER_TOO_LONG";

/** The error that ends what takes more bytes than it may. */
export function tooLong(): Error {
  return Object.assign(new Error("Too many bytes came"), { code: TOO_LONG });
}

/** Codes of the operating system, of OpenSSL as the runtime imitates it, and of the HTTP parser. */
const FAILURES: readonly (readonly [codes: RegExp, failure: SendFailure])[] = [
  [/^ECONNREFUSED$/, "connection_refused"],
  [/^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL|EAFNOSUPPORT)$/, "unreachable"],
  [/^ETIMEDOUT$/, "timed_out"],
  [/^(HPE_|ANSWER_TOO_LONG$)/, "invalid_answer"],
  [/^(CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|INVALID_|ERR_TLS_CERT_)/, "certificate_invalid"],
  // Certificate alerts from the other side belong here: they are about ours, and we have none.
  [/^(ERR_SSL_|ERR_TLS_|EPROTO$)/, "tls_error"],
];

/** The failure behind an error of a socket or a request: `connection_lost` if not in the table. */
export function failureOf(error: unknown): SendFailure {
  if (!(error instanceof Error)) return "connection_lost";
  // Thrown by the runtime if it was started with a --deny-net that covers the address.
  if (error.name === "NotCapable") return "destination_refused";
  const code = "code" in error ? String(error.code) : "";
  return FAILURES.find(([codes]) => codes.test(code))?.[1] ?? "connection_lost";
}
