/**
 * Every way of saying no, as RFC 9457 problems. The table is closed: callers are sent nothing that
 * is not in it. Why a token was refused is not in it; that goes to the ledger.
 */

interface Problem {
  readonly status: 400 | 401 | 403 | 404 | 408 | 409 | 413 | 414 | 426 | 429 | 431 | 500 | 503;
  readonly title: string;
  /** What to do about it, if that is always the same. */
  readonly detail?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether it means that the caller ran into a limit. */
  readonly limit?: true;
}

/** Seconds after which the service may have recovered. */
const SOON = { "retry-after": "5" };
/** The unread rest of a request must not be taken for the next one. */
const CLOSE = { connection: "close" };

const table = {
  malformed_request: { status: 400, title: "The request is malformed" },
  unauthorised: {
    status: 401,
    title: "The token does not permit this request",
    // The same for every reason: the actual one is in the log and in the ledger.
    detail: "Send a token for this path, method, destination and size that still holds, as " +
      "`X-Api-Key`.",
    headers: { "www-authenticate": "Macaroon" },
  },
  metrics_token_wrong: {
    status: 401,
    title: "The token does not permit this request",
    detail: "Send EXPORT_METRICS_TOKEN as `Authorization: Bearer`.",
    headers: { "www-authenticate": "Bearer" },
  },
  destination_refused: { status: 403, title: "Nothing may be sent to this destination" },
  no_such_route: {
    status: 404,
    title: "There is nothing here",
    detail: "POST to /export or /lp/export, or open a WebSocket at /ws/export.",
  },
  unknown_export: { status: 404, title: "There is no such export" },
  too_slow: { status: 408, title: "The request came too slowly", headers: CLOSE },
  idempotency_conflict: {
    status: 409,
    title: "The Idempotency-Key was used for an earlier export",
  },
  too_large: { status: 413, title: "The request is too large", headers: CLOSE },
  url_too_long: {
    status: 414,
    title: "The URL is too long",
    detail: "Name the destination in the body.",
  },
  upgrade_required: {
    status: 426,
    title: "Only WebSockets are served here",
    detail: "Open a WebSocket, version 13, by GET.",
    headers: { upgrade: "websocket", connection: "upgrade", "sec-websocket-version": "13" },
  },
  too_many_requests: { status: 429, title: "Too many requests", limit: true },
  too_much_open: { status: 429, title: "Too much is waiting to be delivered", limit: true },
  storage_quota_exceeded: {
    status: 429,
    title: "The owner's storage quota is used up",
    limit: true,
  },
  headers_too_large: {
    status: 431,
    title: "The headers are too large",
    detail: "Send the token, and little else.",
  },
  internal: {
    status: 500,
    title: "The service failed",
    detail: "The service's log has the cause; asking again may help.",
  },
  root_key_unavailable: {
    status: 503,
    title: "Tokens cannot be checked yet",
    detail: "Try again with the same token.",
    headers: SOON,
  },
  store_unavailable: {
    status: 503,
    title: "The store is unavailable",
    detail: "Try again; with an `Idempotency-Key` nothing is exported twice.",
    headers: SOON,
  },
  too_many_polls: {
    status: 503,
    title: "Too many polls are waiting",
    detail: "Poll with `timeout=0`, or try again.",
    headers: SOON,
    limit: true,
  },
  too_many_bodies: {
    status: 503,
    title: "Too much is being received",
    detail: "Send fewer bodies at once, or try again.",
    headers: SOON,
    limit: true,
  },
  too_many_answers: {
    status: 503,
    title: "Too much is being sent",
    detail: "Read the answers that are on their way, and try again.",
    headers: SOON,
    limit: true,
  },
  too_many_sockets: {
    status: 503,
    title: "Too many WebSockets are open",
    detail: "Use the one that is open, or try again.",
    headers: SOON,
    limit: true,
  },
  not_ready: { status: 503, title: "The service is not ready", headers: SOON },
} satisfies Readonly<Record<string, Problem>>;

export type ProblemCode = keyof typeof table;

const PROBLEMS: Readonly<Record<ProblemCode, Problem>> = table;

/** A problem to answer with, and the details of the case. */
export interface ProblemReply {
  readonly kind: "problem";
  readonly code: ProblemCode;
  /** Tells an app developer what to do about it. */
  readonly detail?: string | undefined;
  /** In addition to those in the table. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The connection ends with it, and all that the runtime has read of it is dropped. */
  readonly cut?: true;
}

/** A refusal, with the detail of `code` unless another is given. */
export function no(code: ProblemCode, detail?: string): ProblemReply {
  return { kind: "problem", code, detail };
}

/** Whether `code` says that the caller ran into a limit. */
export function isLimit(code: ProblemCode): boolean {
  return PROBLEMS[code].limit ?? false;
}

/** The response for `code`; see {@link ProblemReply}. */
export function problem(
  code: ProblemCode,
  detail?: string,
  more: Readonly<Record<string, string>> = {},
): Response {
  const { status, headers } = PROBLEMS[code];
  return new Response(problemText(code, { detail }), {
    status,
    headers: {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...headers,
      ...more,
    },
  });
}

/** The response for `reply`. */
export function problemFor({ code, detail, headers, cut }: ProblemReply): Response {
  const response = problem(code, detail, headers);
  return cut ? cutShort(response, problemText(code, { detail })) : response;
}

/** Declares a byte more than comes, so that the runtime ends the connection. */
function cutShort({ status, headers }: Response, text: string): Response {
  const bytes = new TextEncoder().encode(text);
  headers.set("content-length", `${bytes.length + 1}`);
  return new Response(ReadableStream.from([bytes]), { status, headers });
}

/** The problem as JSON text; `instance` is the id of the export that it is about. */
export function problemText(
  code: ProblemCode,
  { detail, instance }: {
    readonly detail?: string | undefined;
    readonly instance?: string | undefined;
  },
): string {
  const { status, title, detail: always } = PROBLEMS[code];
  const type = `urn:databox:export-service:problem:${code}`;
  // Members without a value are left out.
  return JSON.stringify({ type, title, status, detail: detail ?? always, instance });
}
