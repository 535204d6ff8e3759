/**
 * `GET /metrics`, for holders of the operator's token: totals over all apps would tell one app
 * about the others. A wrong token exports nothing, so it is not entered as a refusal.
 */
import { Hono } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { problem } from "./problem.ts";

export interface MetricsRouteParts {
  /** What `Authorization: Bearer` must contain. */
  readonly token: string;
  readonly metrics: {
    readonly contentType: string;
    text(): Promise<string>;
  };
}

/** @param parts undefined if the operator wants no metrics */
export function metricsRoute(parts: MetricsRouteParts | undefined): Hono {
  return new Hono().get("/metrics", async (c) => {
    if (parts === undefined) return problem("no_such_route", "EXPORT_METRICS_TOKEN is not set.");
    const { token, metrics } = parts;
    const [, given = ""] = BEARER.exec(c.req.header("authorization") ?? "") ?? [];
    if (!await timingSafeEqual(given, token)) return problem("metrics_token_wrong");
    return c.text(await metrics.text(), 200, { "content-type": metrics.contentType });
  });
}

/** RFC 6750, 2.1. */
const BEARER = /^bearer ([\w.~+/=-]+)$/i;
