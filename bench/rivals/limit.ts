// deno-lint-ignore-file no-console -- the port is printed
/** The limit: the same endpoint on Hono and Deno, but it only forwards. No queue, no store. */
import { Hono } from "hono";

const app = new Hono();

app.post("/lp/export", async (c) => {
  const { uri, data } = await c.req.json();
  const headers = { "content-type": "application/json" };
  const response = await fetch(uri, { method: "POST", headers, body: data });
  const ext_response = {
    status: `${response.status} ${response.statusText}`,
    body: await response.text(),
  };
  return c.json({ id: crypto.randomUUID(), state: "Finished", ext_response });
});

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(JSON.stringify({ port })) },
  app.fetch,
);
