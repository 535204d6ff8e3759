/** The app at a glance: health and metrics, then the guard, then all that needs a macaroon. */
import { Hono } from "hono";
import { rememberTokens } from "../authorise/verified_tokens.ts";
import { type Bounded, boundedBy, type RequestBounds } from "./bounds.ts";
import { noteFailure } from "./exchange.ts";
import { exportRoutes, type ExportRoutesParts } from "./export_routes.ts";
import { guard, type GuardParts } from "./guard.ts";
import { headBounds } from "./head_bounds.ts";
import { type HealthParts, healthRoutes } from "./health.ts";
import { metricsRoute, type MetricsRouteParts } from "./metrics_route.ts";
import { problem } from "./problem.ts";
import { socketRoutes } from "./socket_routes.ts";
import type { Sockets } from "./sockets.ts";

export interface AppParts
  extends Omit<ExportRoutesParts & GuardParts & HealthParts, keyof Bounded | "verify"> {
  readonly bounds: RequestBounds;
  readonly sockets: Sockets;
  /** Served if the operator wants it. */
  readonly metrics?: MetricsRouteParts | undefined;
}

export function createApp({ bounds, sockets, metrics, ...more }: AppParts): Hono {
  const parts = { ...more, ...boundedBy(bounds, more.clock), verify: rememberTokens() };
  const app = new Hono();
  for (const open of ["/health/*", "/metrics"]) app.use(open, headBounds(bounds));
  app.route("/health", healthRoutes(parts));
  app.route("/", metricsRoute(metrics));
  app.use(guard(parts));
  app.route("/", exportRoutes(parts));
  app.route("/", socketRoutes(parts, sockets));
  app.notFound(() => problem("no_such_route"));
  app.onError((error, c) => {
    const { method, path } = c.req;
    return problem(noteFailure(error, { method, path }, parts));
  });
  return app;
}
