/**
 * Refuses a request by its head alone: a URL or headers that no client of ours sends. What exceeds
 * the runtime's own bounds never gets here, see README.
 */
import { createMiddleware } from "hono/factory";
import { no, problemFor, type ProblemReply } from "./problem.ts";

export interface HeadBounds {
  readonly urlChars: number;
  readonly headerBytes: number;
}

/** For routes without a guard in front of them. */
export function headBounds(bounds: HeadBounds) {
  return createMiddleware(async function headBounds(c, next) {
    const fault = faultOfHead(c.req.raw, bounds);
    return fault === undefined ? await next() : problemFor(fault);
  });
}

/** What is too large or invalid in a request's head, if anything. */
export function faultOfHead(
  { url, headers }: Pick<Request, "url" | "headers">,
  { urlChars, headerBytes }: HeadBounds,
): ProblemReply | undefined {
  if (url.length > urlChars) return no("url_too_long");
  let bytes = 0;
  for (const [name, value] of headers) {
    bytes += name.length + value.length + LINE_BYTES;
    if (name === "host" && !HOST.test(value)) return no("malformed_request", HOST_RULE);
  }
  return bytes > headerBytes ? no("headers_too_large") : undefined;
}

/** The colon, the space and the line end of a header. */
const LINE_BYTES = 4;
/** The runtime puts any `Host` before the path as it is: `x/lp/export?` would become the path. */
const HOST = /^[\w.:[\]-]*$/;

const HOST_RULE = "`Host` must be a name or an address, with a port or without.";
