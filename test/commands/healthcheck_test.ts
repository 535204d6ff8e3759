/** What the image's health check makes of whatever listens at the service's port. */
import { assertEquals } from "@std/assert";
import { isLive } from "../../src/commands/healthcheck.ts";
import { readTlsFixture } from "../fakes/tls_client.ts";

async function certificate(): Promise<{ cert: string; key: string }> {
  const names = ["server.pem", "server.pkcs8.key"];
  const [cert = "", key = ""] = await Promise.all(names.map(readTlsFixture));
  return { cert, key };
}

/** What the check says of a server that answers so, by plain HTTP and over TLS. */
async function checked(answer: (path: string) => Response): Promise<readonly boolean[]> {
  const verdicts: boolean[] = [];
  for (const identity of [{}, await certificate()]) {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {}, ...identity },
      ({ url }) => answer(new URL(url).pathname),
    );
    verdicts.push(await isLive(server.addr.port));
    await server.shutdown();
  }
  return verdicts;
}

Deno.test("a service that reports itself live is so, by plain HTTP and with any certificate", async () => {
  const live = (path: string) =>
    path === "/health/live"
      ? Response.json({ status: "live" })
      : new Response(null, { status: 503 });
  assertEquals(await checked(live), [true, true]);
});

for (const status of [204, 302, 404, 500, 503]) {
  Deno.test(`what answers ${status} is not live`, async () => {
    const headers = { location: "/health/ready" };
    const answer = (path: string) =>
      path === "/health/live" ? new Response(null, { status, headers }) : new Response("ready");
    assertEquals(await checked(answer), [false, false]);
  });
}

Deno.test("where nobody listens, or hangs up, nobody is live", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const hangingUp = (async () => {
    for await (const conn of listener) conn.close();
  })();
  assertEquals(await isLive(port), false);
  listener.close();
  await hangingUp;
  assertEquals(await isLive(port), false);
});
