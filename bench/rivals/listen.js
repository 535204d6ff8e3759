// deno-lint-ignore-file no-console -- the port is printed
/** Serves an app on a free port of this machine, and prints the port. */
import { serve } from "@hono/node-server";

export function listen(app) {
  serve({ fetch: app.fetch, hostname: "127.0.0.1", port: 0 }, ({ port }) => {
    console.log(JSON.stringify({ port }));
  });
}
