/**
 * Lets nobody past whose token does not permit the request; whoever passes carries a grant.
 * Comes before routing and before the body is read (contract 1.3).
 */
import { createMiddleware } from "hono/factory";
import { authorise, type CaveatName, type Grant } from "../authorise/authorise.ts";
import type { RootKey } from "../authorise/macaroon.ts";
import { tokenFromHeaders } from "../authorise/token_header.ts";
import type { Clock } from "../clock.ts";
import { problem } from "./problem.ts";
import type { Refusals } from "./refusals.ts";

/** What a handler behind the guard knows of its caller. */
export interface Guarded {
  readonly Variables: { readonly grant: Grant };
}

export interface GuardParts {
  readonly clock: Clock;
  readonly refusals: Refusals;
  /** Keys that tokens may be signed with: the present one first; none while it is not known. */
  readonly rootKeys: () => readonly RootKey[];
  /** This service's name, as the caveat `target` must have it. */
  readonly target: string;
  readonly requiredCaveats: readonly CaveatName[];
}

export function guard(parts: GuardParts) {
  return createMiddleware<Guarded>(async function guard(c, next) {
    const keys = parts.rootKeys();
    if (keys.length === 0) return problem("root_key_unavailable");
    const { method, path } = c.req;
    const access = { target: parts.target, path, method, now: parts.clock.now() };
    const token = tokenFromHeaders(c.req.raw.headers);
    const authorisation = authorise(token, keys, access, parts.requiredCaveats);
    if (authorisation.kind === "refused") {
      parts.refusals.note({ reason: authorisation.reason, method, route: routeName(path) });
      return problem("unauthorised");
    }
    c.set("grant", authorisation.grant);
    return await next();
  });
}

/** Only paths that we serve go to the ledger; another one may hold anything. */
function routeName(path: string): string {
  return path === "/export" || path === "/lp/export" ? path : "other";
}
