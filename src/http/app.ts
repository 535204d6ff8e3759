/** The app at one glance: health, then the guard, then everything that needs a token. */
import { Hono } from "hono";
import { exportRoutes, type ExportRoutesParts, StoreUnavailable } from "./export_routes.ts";
import { guard, type GuardParts } from "./guard.ts";
import { healthRoutes } from "./health.ts";
import { problem } from "./problem.ts";

export type AppParts = ExportRoutesParts & GuardParts;

export function createApp(parts: AppParts): Hono {
  const app = new Hono();
  app.route("/health", healthRoutes(parts));
  app.use(guard(parts));
  app.route("/", exportRoutes(parts));
  app.notFound(() => problem("no_such_route"));
  app.onError((error, c) => {
    const { method, path } = c.req;
    const storeFailed = error instanceof StoreUnavailable;
    // A client that went away in the middle of its body is nobody's failure.
    if (!c.req.raw.signal.aborted) {
      const event = storeFailed ? "store.failed" : "request.failed";
      parts.log({ event, method, path, error: storeFailed ? error.cause : error });
    }
    return problem(storeFailed ? "store_unavailable" : "internal");
  });
  return app;
}
