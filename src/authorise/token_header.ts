/**
 * Where a request carries its token: `X-Api-Key`, or the user name of HTTP Basic. Never looks
 * anywhere else, least of all at the URL, which ends up in logs, and never judges the token.
 */
import { decodeBase64 } from "./base64.ts";

/**
 * If there is an `X-Api-Key`, only that counts, even when empty or wrong. A header sent twice
 * arrives joined by a comma, which no token contains.
 */
export function tokenFromHeaders(headers: Headers): string | undefined {
  return headers.get("X-Api-Key") ?? basicUserName(headers.get("Authorization") ?? "");
}

function basicUserName(authorization: string): string | undefined {
  const [, credentials = ""] = /^Basic (.+)$/.exec(authorization) ?? [];
  // Latin-1, because a password may be any bytes; a token is ASCII.
  const userPass = decodeBase64(credentials, "base64")?.toString("latin1") ?? "";
  const colon = userPass.indexOf(":");
  return colon === -1 ? undefined : userPass.slice(0, colon);
}
