/**
 * The closed table of ways in which an export can end without an answer: what the app sees, and
 * whether a retry can help. Never holds an address or anything else about the internal network.
 */

interface Failure {
  /** Status shown in `ext_response.status` when the export ends so. */
  readonly status: 403 | 502 | 504;
  /** Shown to the app; describes what happened in the app's terms. */
  readonly detail: string;
  /** No further attempt is made, since none could end differently. */
  readonly final: boolean;
  /** Always happens before anything is sent, so that no data can have left. */
  readonly beforeSending: boolean;
}

const table = {
  dns_error: {
    status: 502,
    detail: "The destination's name could not be resolved.",
    final: false,
    beforeSending: true,
  },
  connection_refused: {
    status: 502,
    detail: "The destination refused the connection.",
    final: false,
    beforeSending: true,
  },
  connection_lost: {
    status: 502,
    detail: "The destination closed the connection before its answer was complete.",
    final: false,
    beforeSending: false,
  },
  unreachable: {
    status: 502,
    detail: "The destination could not be reached.",
    final: false,
    beforeSending: false,
  },
  timed_out: {
    status: 504,
    detail: "The destination did not answer in time.",
    final: false,
    beforeSending: false,
  },
  tls_error: {
    status: 502,
    detail: "No secure connection could be agreed with the destination.",
    final: false,
    beforeSending: false,
  },
  certificate_invalid: {
    status: 502,
    detail: "The destination's certificate could not be verified.",
    final: true,
    beforeSending: true,
  },
  invalid_answer: {
    status: 502,
    detail: "The destination's answer was not valid HTTP.",
    final: false,
    beforeSending: false,
  },
  data_damaged: {
    status: 502,
    detail: "The data is no longer in the service as it was accepted.",
    final: false,
    beforeSending: true,
  },
  interrupted: {
    status: 502,
    detail: "The service ended in the middle of the last attempts; whether the destination got " +
      "the data is not known.",
    final: false,
    beforeSending: false,
  },
  destination_refused: {
    status: 403,
    detail: "Data may not be sent to this destination.",
    final: true,
    beforeSending: true,
  },
} satisfies Readonly<Record<string, Failure>>;

/** One way to fail; the `error.code` of the wire. */
export type FailureCode = keyof typeof table;

/** How a single attempt can fail; the other codes apply to a whole export. */
export type AttemptFailure = Exclude<FailureCode, "interrupted">;

/** Every failure with its status, text and finality. */
export const FAILURES: Readonly<Record<FailureCode, Failure>> = table;
