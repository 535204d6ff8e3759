/**
 * `GET /metrics`, for whoever knows the operator's token: what all apps do together would tell one app
 * about the others. A wrong token asks for nothing that could leave, so it is not entered as a refusal.
 */
import { Hono } from "hono";
import { timingSafeEqual } from "hono/utils/buffer";
import { problem } from "./problem.ts";

export interface MetricsRouteParts {
  /** What `Authorization: Bearer` must bring. */
  readonly token: string;
  readonly metrics: {
    readonly contentType: string;
    text(): Promise<string>;
  };
}

/** @param parts undefined where the operator wants no metrics */
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
