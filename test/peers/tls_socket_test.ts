/** The WebSocket over TLS, where the original's never worked: a client that verifies the service. */
import { assertEquals } from "@std/assert";
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import { DestinationServer } from "../fakes/destination_server.ts";
import { SERVICE_NAME } from "../fakes/tls_client.ts";
import { SocketClient } from "../http/socket_client.ts";
import { SECRET, startTlsService, trustingClient } from "./tls_service.ts";
import { withFolder } from "../fakes/folder.ts";

Deno.test("an export over a WebSocket and TLS is told state by state, to its outcome", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer(() => new Response("thank you"));
    await using service = await startTlsService(folder);
    using client = await trustingClient();
    const uri = destination.uri();
    const access = { target: SERVICE_NAME, path: "/ws/export", method: "GET", destination: uri };
    const headers = { "x-api-key": mintToken(SECRET, { caveats: exportCaveats(access) }) };
    const url = `wss://127.0.0.1:${service.port}/ws/export`;
    const socket = new SocketClient(new WebSocket(url, { headers, client }));
    await socket.opened;
    const { id, state } = await socket.ask({ id: "", uri, data: '{"steps": 8211}' });
    assertEquals(state, "Pending");
    assertEquals(await socket.finish(), {
      id,
      state: "Finished",
      ext_response: { status: "200 OK", body: "thank you" },
    });
    assertEquals(destination.arrivals.map(({ body }) => body), ['{"steps": 8211}']);
    const ended = service.kill("SIGTERM");
    assertEquals((await socket.closed).code, 1001);
    assertEquals((await ended).code, 0);
  }));
