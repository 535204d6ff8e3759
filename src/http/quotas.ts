/**
 * The answers to an owner over a limit: how much there is, what is left of it, and when to come
 * back, in the fields of the IETF's draft on RateLimit header fields. Decides nothing.
 */
import type { Full, OverQuota } from "../ledger/ledger.ts";
import { OPEN_RETRY_SECONDS } from "../limits.ts";
import type { ProblemReply } from "./problem.ts";

/** One request too many; the next one will be served after `waitMs`. */
export function tooManyRequests(perSecond: number, waitMs: number): ProblemReply {
  const seconds = secondsOf(waitMs);
  return {
    kind: "problem",
    code: "too_many_requests",
    detail: `${perSecond} requests a second are served. Try again in ${seconds} s.`,
    headers: {
      "retry-after": `${seconds}`,
      "ratelimit-policy": `"requests";q=${perSecond};w=1`,
      "ratelimit": `"requests";r=0;t=${seconds}`,
    },
  };
}

/** The owner has too much open. When that will be less is unknown: it depends on destinations. */
export function tooMuchOpen({ of, max, left }: Full): ProblemReply {
  const unit = of === "bytes" ? `;qu="content-bytes"` : "";
  return {
    kind: "problem",
    code: "too_much_open",
    detail: `At most ${max} ${of} may be unfinished at a time; ${left} are left. ` +
      "Try again when some of them are delivered.",
    headers: {
      "retry-after": `${OPEN_RETRY_SECONDS}`,
      "ratelimit-policy": `"open-${of}";q=${max}${unit}`,
      "ratelimit": `"open-${of}";r=${left}`,
    },
  };
}

/** The owner's exports have left more in the store than one day's quota. */
export function storageQuotaExceeded({ bytesPerDay, waitMs }: OverQuota): ProblemReply {
  const seconds = secondsOf(waitMs);
  return {
    kind: "problem",
    code: "storage_quota_exceeded",
    detail: `The exports of an owner may leave ${bytesPerDay} bytes a day in the store. ` +
      `Try again in ${seconds} s.`,
    headers: {
      "retry-after": `${seconds}`,
      "ratelimit-policy": `"stored-bytes";q=${bytesPerDay};w=86400;qu="content-bytes"`,
      "ratelimit": `"stored-bytes";r=0;t=${seconds}`,
    },
  };
}

function secondsOf(waitMs: number): number {
  return Math.ceil(waitMs / 1_000);
}
