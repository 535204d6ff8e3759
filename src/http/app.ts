/** The app at one glance: health, then the guard, then everything that needs a token. */
import { Hono } from "hono";
import { failure } from "./exchange.ts";
import { exportRoutes, type ExportRoutesParts } from "./export_routes.ts";
import { guard, type GuardParts } from "./guard.ts";
import { type HealthParts, healthRoutes } from "./health.ts";
import { problem } from "./problem.ts";
import { socketRoutes } from "./socket_routes.ts";
import type { Sockets } from "./sockets.ts";

export interface AppParts
  extends ExportRoutesParts, GuardParts, Pick<HealthParts, "unreachableHosts"> {
  /** Without them `/ws/export` is not served. */
  readonly sockets?: Sockets;
}

export function createApp(parts: AppParts): Hono {
  const app = new Hono();
  app.route("/health", healthRoutes(parts));
  app.use(guard(parts));
  app.route("/", exportRoutes(parts));
  if (parts.sockets !== undefined) app.route("/", socketRoutes(parts, parts.sockets));
  app.notFound(() => problem("no_such_route"));
  app.onError((error, c) => {
    const { method, path } = c.req;
    const { code, event, error: cause } = failure(error);
    // A client that went away in the middle of its body is nobody's failure.
    if (!c.req.raw.signal.aborted) parts.log({ event, method, path, error: cause });
    return problem(code);
  });
  return app;
}
