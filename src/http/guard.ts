/**
 * Turns away requests whose head is too large or whose token does not permit them, and gives the
 * others a grant. Comes before routing and before the body is read (contract 1.3).
 */
import type { HonoRequest } from "hono";
import { createMiddleware } from "hono/factory";
import {
  authorise,
  type CaveatName,
  type Grant,
  type VerifyToken,
} from "../authorise/authorise.ts";
import { ROUTES } from "../authorise/routes.ts";
import type { RootKey } from "../authorise/macaroon.ts";
import { tokenFromHeaders } from "../authorise/token_header.ts";
import type { Clock } from "../clock.ts";
import { faultOfHead, type HeadBounds } from "./head_bounds.ts";
import type { Log } from "../log.ts";
import { noteLimit } from "./throttled_log.ts";
import { no, problemFor, type ProblemReply } from "./problem.ts";
import { tooManyRequests } from "./quotas.ts";
import type { Refusals } from "./refusals.ts";
import type { RequestRate } from "./request_rate.ts";

/** What a handler behind the guard knows of its caller. */
export interface Guarded {
  readonly Variables: { readonly grant: Grant };
}

/** Keys that tokens may be signed with. */
export interface RootKeyRing {
  readonly keys: readonly RootKey[];
  /** Whether the key that tokens are signed with now is among them. */
  readonly complete: boolean;
}

export interface GuardParts {
  readonly clock: Clock;
  readonly refusals: Refusals;
  /** For events that clients can cause without end. */
  readonly throttledLog: Log;
  readonly rootKeys: () => RootKeyRing;
  /** This service's name, as the caveat `target` must have it. */
  readonly target: string;
  readonly requiredCaveats: readonly CaveatName[];
  readonly rate: RequestRate;
  readonly verify: VerifyToken;
  readonly headBounds: HeadBounds;
}

/** A request as the guard sees it. */
export interface Call {
  readonly token: string | undefined;
  readonly method: string;
  readonly path: string;
}

export type Admission =
  | { readonly kind: "granted"; readonly grant: Grant }
  | ProblemReply;

export function guard(parts: GuardParts) {
  // One middleware for head and token, and not async: whatever is called before a poll waits stays
  // in memory for as long as it waits, and thousands do at once.
  return createMiddleware<Guarded>(function guard(c, next) {
    const fault = faultOfHead(c.req.raw, parts.headBounds);
    if (fault !== undefined) return Promise.resolve(problemFor(fault));
    const admission = admit(callOf(c.req), parts);
    if (admission.kind === "problem") return Promise.resolve(problemFor(admission));
    c.set("grant", admission.grant);
    return next();
  });
}

/** What the guard needs of a request; remains valid when the request is gone. */
export function callOf({ method, path, raw }: HonoRequest): Call {
  return { token: tokenFromHeaders(raw.headers), method, path };
}

/** Judges a call as of now, and notes it if it is refused. */
export function admit({ token, method, path }: Call, parts: GuardParts): Admission {
  const { keys, complete } = parts.rootKeys();
  const access = { target: parts.target, path, method, now: parts.clock.now() };
  const { requiredCaveats: required, verify } = parts;
  const authorisation = authorise(token, access, { rootKeys: keys, required, verify });
  if (authorisation.kind === "granted") {
    const { owner } = authorisation.grant;
    const waitMs = parts.rate.admit(owner);
    if (waitMs === undefined) return authorisation;
    noteLimit("too_many_requests", owner, parts.throttledLog);
    return tooManyRequests(parts.rate.perSecond, waitMs);
  }
  const { reason } = authorisation;
  // Signed by no key known so far, or not tried with all of them: it may yet prove to be good.
  if (reason === "signature_unchecked" || reason === "signature_wrong" && !complete) {
    return no("root_key_unavailable");
  }
  parts.refusals.note({ reason, method: methodName(method), route: routeName(path) });
  return no("unauthorised");
}

/** Only paths that we serve go to the ledger; any other could contain anything. */
function routeName(path: string): string {
  return ROUTES.has(path) ? path : "other";
}

const METHODS: readonly string[] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];

/** As with paths: a caller can make up any method. */
function methodName(method: string): string {
  return METHODS.includes(method) ? method : "other";
}
