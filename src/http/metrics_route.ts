/**
 * `GET /metrics`, for whoever knows the token that the operator has set. Everybody else goes on to the
 * guard: what may be seen here tells one app of the others.
 */
import { Hono } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { type HeadBounds, headBounds } from "./head_bounds.ts";

export interface MetricsRouteParts {
  /** What `Authorization: Bearer` must bring. */
  readonly token: string;
  readonly figures: {
    /** What there is to tell at the moment, in Prometheus' text format. */
    text(): Promise<string>;
  };
}

export function metricsRoute({ token, figures }: MetricsRouteParts, bounds: HeadBounds): Hono {
  return new Hono().get("/metrics", headBounds(bounds), async (c, next) => {
    const [, given = ""] = BEARER.exec(c.req.header("authorization") ?? "") ?? [];
    if (!await timingSafeEqual(given, token)) return await next();
    return c.text(await figures.text(), 200, { "content-type": TEXT_FORMAT });
  });
}

/** RFC 6750, 2.1. */
const BEARER = /^bearer ([\w.~+/=-]+)$/i;
const TEXT_FORMAT = "text/plain; version=0.0.4; charset=utf-8";
