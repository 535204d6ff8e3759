// deno-lint-ignore-file no-console -- figures are printed
/** A destination that answers 200 to everything and counts; GET tells how many exports came. */
const seen = new Set<string | null>();
Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(JSON.stringify({ port })) },
  async (request) => {
    if (request.method === "GET") return new Response(String(seen.size));
    await request.text();
    seen.add(request.headers.get("idempotency-key"));
    return new Response("ok");
  },
);
