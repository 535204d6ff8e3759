// deno-lint-ignore-file no-console -- the port is printed
/**
 * The minimum that answers polls: holds every request until `/go` is requested, then answers all
 * with the bytes of a receipt. Answers `/go` with the time of that, ms since the epoch.
 */
const RECEIPT = JSON.stringify({
  id: crypto.randomUUID(),
  state: "Finished",
  ext_response: { status: "200 OK", body: "ok" },
});

const released = Promise.withResolvers<void>();

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: ({ port }) => console.log(JSON.stringify({ port })) },
  async (request) => {
    if (request.url.endsWith("/go")) {
      const at = performance.timeOrigin + performance.now();
      released.resolve();
      return Response.json(at);
    }
    await released.promise;
    return new Response(RECEIPT, { headers: { "content-type": "application/json" } });
  },
);
