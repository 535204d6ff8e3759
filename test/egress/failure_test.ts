/** What becomes of the errors of sockets, of TLS and of the HTTP parser. */
import { assertEquals } from "@std/assert";
import { failureOf, type SendFailure, TOO_LONG } from "../../src/egress/failure.ts";

const CODES: Partial<Record<SendFailure, readonly string[]>> = {
  connection_refused: ["ECONNREFUSED"],
  connection_lost: ["ECONNRESET", "EPIPE", "ECONNABORTED", "", "SOMETHING_NEW"],
  unreachable: [
    "EHOSTUNREACH",
    "ENETUNREACH",
    "EHOSTDOWN",
    "ENETDOWN",
    "EADDRNOTAVAIL",
    "EAFNOSUPPORT",
  ],
  timed_out: ["ETIMEDOUT"],
  invalid_answer: ["HPE_INVALID_CONSTANT", "HPE_HEADER_OVERFLOW", TOO_LONG],
  certificate_invalid: [
    "CERT_HAS_EXPIRED",
    "CERT_NOT_YET_VALID",
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "DEPTH_ZERO_SELF_SIGNED_CERT",
    "SELF_SIGNED_CERT_IN_CHAIN",
    "INVALID_CA",
    "ERR_TLS_CERT_ALTNAME_INVALID",
  ],
  tls_error: [
    "EPROTO",
    "ERR_SSL_WRONG_VERSION_NUMBER",
    "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
    "ERR_TLS_HANDSHAKE_TIMEOUT",
  ],
};

for (const [failure, codes] of Object.entries(CODES)) {
  Deno.test(`errors that mean ${failure}`, () => {
    for (const code of codes) {
      assertEquals(failureOf(Object.assign(new Error("It broke"), { code })), failure, code);
    }
  });
}

Deno.test("what the process may not do is a refused destination; what is no error is a lost connection", () => {
  assertEquals(failureOf(new Deno.errors.NotCapable("Requires net access")), "destination_refused");
  for (const thrown of [undefined, "ECONNREFUSED", { code: "ETIMEDOUT" }, new Error("No code")]) {
    assertEquals(failureOf(thrown), "connection_lost");
  }
});
