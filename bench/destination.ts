// deno-lint-ignore-file no-console -- the port is printed
/**
 * A destination that answers 200 to everything, after `?ms=` milliseconds, and counts each export
 * by the number in its data. `GET /?from=0&to=100` returns how many are missing or repeated.
 */
import { numberIn } from "./payload.ts";

const MOST = 1 << 24;
const seen = new Uint8Array(MOST);

function answerFor(url: URL): Response {
  const wanted = seen.subarray(
    Number(url.searchParams.get("from")),
    Number(url.searchParams.get("to")),
  );
  const missing = wanted.reduce((sum, count) => sum + (count === 0 ? 1 : 0), 0);
  const repeated = wanted.reduce((sum, count) => sum + (count > 1 ? 1 : 0), 0);
  return Response.json({ missing, repeated });
}

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(JSON.stringify({ port })) },
  async (request) => {
    if (request.method === "GET") return answerFor(new URL(request.url));
    const number = numberIn(await request.text());
    if (number >= 0 && number < MOST) seen[number] = (seen[number] ?? 0) + 1;
    const [, ms = ""] = request.url.split("?ms=");
    if (ms !== "") await new Promise((resolve) => setTimeout(resolve, Number(ms)));
    return new Response("ok");
  },
);
