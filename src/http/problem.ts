/**
 * Every way of saying no, as RFC 9457 problems. The table is closed: what is not in it cannot be
 * said to a caller. Reasons of refused tokens are not in it; they go to the ledger.
 */

interface Problem {
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 426 | 500 | 503;
  readonly title: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type ProblemCode =
  | "malformed_request"
  | "unauthorised"
  | "destination_refused"
  | "no_such_route"
  | "unknown_export"
  | "idempotency_conflict"
  | "too_large"
  | "upgrade_required"
  | "internal"
  | "root_key_unavailable"
  | "store_unavailable"
  | "too_many_sockets"
  | "not_ready";

/** Seconds after which a caller may find the service well again. */
const SOON = { "retry-after": "5" };

const PROBLEMS: Readonly<Record<ProblemCode, Problem>> = {
  malformed_request: { status: 400, title: "The request is malformed" },
  unauthorised: {
    status: 401,
    title: "The token does not permit this request",
    headers: { "www-authenticate": "Macaroon" },
  },
  destination_refused: { status: 403, title: "Nothing may be sent to this destination" },
  no_such_route: { status: 404, title: "There is nothing here" },
  unknown_export: { status: 404, title: "There is no such export" },
  idempotency_conflict: {
    status: 409,
    title: "The Idempotency-Key was used for another export",
  },
  too_large: { status: 413, title: "The request is too large" },
  upgrade_required: {
    status: 426,
    title: "Here only WebSockets are served",
    headers: { upgrade: "websocket", connection: "upgrade" },
  },
  internal: { status: 500, title: "The service failed" },
  root_key_unavailable: { status: 503, title: "Tokens cannot be checked yet", headers: SOON },
  store_unavailable: { status: 503, title: "The store does not take writes", headers: SOON },
  too_many_sockets: { status: 503, title: "No further WebSocket can be served", headers: SOON },
  not_ready: { status: 503, title: "The service is not ready", headers: SOON },
};

/** The response for `code`; `detail` says to an app developer what to do about it. */
export function problem(code: ProblemCode, detail?: string): Response {
  const { status, headers } = PROBLEMS[code];
  return new Response(problemText(code, { detail }), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...headers,
    },
  });
}

/** The problem as JSON text; `instance` is the id of the export that it is about. */
export function problemText(
  code: ProblemCode,
  { detail, instance }: {
    readonly detail?: string | undefined;
    readonly instance?: string | undefined;
  },
): string {
  const { status, title } = PROBLEMS[code];
  const type = `urn:databox:export-service:problem:${code}`;
  // Members without a value are left out.
  return JSON.stringify({ type, title, status, detail, instance });
}
