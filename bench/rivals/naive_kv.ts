// deno-lint-ignore-file no-console -- the port is printed
/**
 * The obvious design on Deno: its KV in a file, one enqueued message per export, one `set` per
 * state, one `watch` per poll. No lanes, no leases, no token.
 */
import { Hono } from "hono";

interface Stored {
  readonly uri: string;
  readonly data: string;
  readonly state: "Pending" | "Processing" | "Finished";
  readonly ext_response: { readonly status?: string; readonly body?: string };
}

const DAY_MS = 86_400_000;
const kv = await Deno.openKv("naive.kv");
const app = new Hono();

async function put(id: string, stored: Stored): Promise<void> {
  await kv.set(["export", id], stored, { expireIn: DAY_MS });
}

async function find(id: string): Promise<Stored | null> {
  return (await kv.get<Stored>(["export", id])).value;
}

kv.listenQueue(async (id: string) => {
  const stored = await find(id);
  if (stored === null || stored.state === "Finished") return;
  await put(id, { ...stored, state: "Processing" });
  const headers = { "content-type": "application/json", "idempotency-key": id };
  const response = await fetch(stored.uri, { method: "POST", headers, body: stored.data });
  const status = `${response.status} ${response.statusText}`;
  const ext_response = { status, body: await response.text() };
  await put(id, { ...stored, state: "Finished", ext_response });
});

/** The export once it has left `state`, or as it is after `ms`. */
async function nextOf(id: string, state: Stored["state"], ms: number): Promise<Stored | null> {
  const reader = kv.watch<[Stored]>([["export", id]]).getReader();
  const timer = setTimeout(() => reader.cancel(), ms);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return await find(id);
      if (value[0].value?.state !== state) return value[0].value;
    }
  } finally {
    clearTimeout(timer);
    await reader.cancel();
  }
}

app.post("/lp/export", async (c) => {
  const { id, uri, data } = await c.req.json();
  if (id === "") {
    const created = crypto.randomUUID();
    await put(created, { uri, data, state: "Pending", ext_response: {} });
    await kv.enqueue(created);
    return c.json({ id: created, state: "Pending", ext_response: {} });
  }
  let stored = await find(id);
  if (stored !== null && stored.state !== "Finished") {
    stored = await nextOf(id, stored.state, Number(c.req.query("timeout") ?? 5) * 1_000);
  }
  if (stored === null) return c.json({ title: "Unknown export" }, 404);
  return c.json({ id, state: stored.state, ext_response: stored.ext_response });
});

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(JSON.stringify({ port })) },
  app.fetch,
);
