/**
 * How an attempt can fail before there is an answer, and which of the network's many errors means
 * which. A table only: never decides whether to try again.
 */

export type FailureCode =
  /** The name has no address, or the resolver failed. */
  | "dns_error"
  /** The host is there and nothing listens on the port. */
  | "connection_refused"
  /** The connection broke before the answer was complete. */
  | "connection_lost"
  /** No way to the address from here. */
  | "unreachable"
  /** The limit for connecting or for the whole attempt passed. */
  | "timed_out"
  /** The two sides found no common TLS, or the other one speaks none. */
  | "tls_error"
  /** The destination could not prove its name. */
  | "certificate_invalid"
  /** What came back is not an HTTP answer within limits. */
  | "invalid_answer"
  /** The guard, or the process's own permissions, refuse the destination. */
  | "destination_refused"
  /** The caller stopped the attempt. */
  | "stopped";

/** Codes of the operating system and of the HTTP parser, which starts its own with `HPE_`. */
const FAILURES: readonly (readonly [codes: RegExp, failure: FailureCode])[] = [
  [/^ECONNREFUSED$/, "connection_refused"],
  [/^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EADDRNOTAVAIL|EAFNOSUPPORT)$/, "unreachable"],
  [/^ETIMEDOUT$/, "timed_out"],
  [/^HPE_/, "invalid_answer"],
];

/** The failure behind an error of a connection or a request; what is not in the table broke off. */
export function failureOf(error: unknown): FailureCode {
  if (!(error instanceof Error)) return "connection_lost";
  // Where the process was started with a --deny-net that covers the address.
  if (error.name === "NotCapable") return "destination_refused";
  // What the runtime's TLS objects to has no code.
  if (error.name === "InvalidData") {
    const aboutCertificate = error.message.startsWith("invalid peer certificate");
    return aboutCertificate ? "certificate_invalid" : "tls_error";
  }
  const code = "code" in error ? String(error.code) : "";
  return FAILURES.find(([codes]) => codes.test(code))?.[1] ?? "connection_lost";
}
