/**
 * Finds fault with a request by its head alone: a URL or headers that no client of ours sends. What
 * is over the runtime's own bounds never gets here, see README.
 */
import { createMiddleware } from "hono/factory";
import { problem, type ProblemCode } from "./problem.ts";

export interface HeadBounds {
  readonly urlChars: number;
  readonly headerBytes: number;
}

/** For routes that no guard stands before. */
export function headBounds(bounds: HeadBounds) {
  return createMiddleware(async function headBounds(c, next) {
    const code = faultOfHead(c.req.raw, bounds);
    return code === undefined ? await next() : problem(code);
  });
}

/** What is too much in a request's head. */
export function faultOfHead(
  { url, headers }: Pick<Request, "url" | "headers">,
  { urlChars, headerBytes }: HeadBounds,
): Extract<ProblemCode, "url_too_long" | "headers_too_large"> | undefined {
  if (url.length > urlChars) return "url_too_long";
  let bytes = 0;
  for (const [name, value] of headers) bytes += name.length + value.length + LINE_BYTES;
  return bytes > headerBytes ? "headers_too_large" : undefined;
}

/** Colon, blank and the end of a header's line. */
const LINE_BYTES = 4;
