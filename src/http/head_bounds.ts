/**
 * Finds fault with a request by its head alone: a URL or headers that no client of ours sends. What
 * is over the runtime's own bounds never gets here, see README.
 */
import { createMiddleware } from "hono/factory";
import { no, problemFor, type ProblemReply } from "./problem.ts";

export interface HeadBounds {
  readonly urlChars: number;
  readonly headerBytes: number;
}

/** For routes that no guard stands before. */
export function headBounds(bounds: HeadBounds) {
  return createMiddleware(async function headBounds(c, next) {
    const fault = faultOfHead(c.req.raw, bounds);
    return fault === undefined ? await next() : problemFor(fault);
  });
}

/** What is too much in a request's head, or not what it should be. */
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

/** Colon, blank and the end of a header's line. */
const LINE_BYTES = 4;
/** The runtime puts whatever stands there before the path, so that `x/lp/export?` would be one. */
const HOST = /^[\w.:[\]-]*$/;

const HOST_RULE = "`Host` must be a name or an address, with a port or without.";
