/**
 * A client of Databox 0.2 to 0.4: its tokens name no destination and each has an identifier of its
 * own; they come as the user name of Basic authentication. Served where the operator says so.
 */
import { assertEquals, assertNotEquals } from "@std/assert";
import { Buffer } from "node:buffer";
import { mintToken } from "../../src/authorise/mint.ts";
import { DestinationServer } from "../fakes/destination_server.ts";
import type { ServiceProcess } from "../fakes/service_process.ts";
import { SECRET, startTlsService, trustingClient } from "./tls_service.ts";
import { withFolder } from "../fakes/folder.ts";

const RELAXED = { EXPORT_REQUIRE_CAVEATS: "target,path,method" };

/** What the arbiter of that time mints. */
function newToken(): string {
  const identifier = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64");
  return mintToken(SECRET, {
    identifier,
    location: "https://arbiter:8080",
    caveats: ["target = export-service", "path = /lp/export", "method = POST"],
  });
}

interface Call {
  readonly service: ServiceProcess;
  readonly client: Deno.HttpClient;
  readonly token: string;
}

async function ask({ service, client, token }: Call, id: string, uri: string) {
  const response = await fetch(`https://127.0.0.1:${service.port}/lp/export`, {
    client,
    method: "POST",
    headers: {
      authorization: `Basic ${btoa(`${token}:`)}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ id, uri, data: JSON.stringify({ steps: 8211 }) }),
  });
  return { status: response.status, answer: await response.json() };
}

Deno.test("a client of Databox 0.4 submits and polls, to wherever it likes", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using service = await startTlsService(folder, RELAXED);
    using client = await trustingClient();
    const call = { service, client, token: newToken() };
    const ids: string[] = [];
    for (const uri of [destination.uri("/one"), destination.uri("/two")]) {
      const { status, answer } = await ask(call, "", uri);
      assertEquals([status, answer.state, answer.ext_response], [200, "Pending", {}]);
      ids.push(answer.id);
      for (;;) {
        const { answer: polled } = await ask(call, answer.id, uri);
        if (polled.state !== "Finished") continue;
        assertEquals(polled.ext_response, { status: "200 OK", body: "ok" });
        break;
      }
    }
    assertNotEquals(ids[0], ids[1]);
    assertEquals(destination.arrivals.map(({ path, body }) => [path, body]), [
      ["/one", '{"steps":8211}'],
      ["/two", '{"steps":8211}'],
    ]);
  }));

Deno.test("there every token is a client of its own, that sees only its own exports", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using service = await startTlsService(folder, RELAXED);
    using client = await trustingClient();
    const uri = destination.uri();
    const { answer } = await ask({ service, client, token: newToken() }, "", uri);
    const { status } = await ask({ service, client, token: newToken() }, answer.id, uri);
    assertEquals(status, 404);
    await destination.arrived(({ length }) => length === 1);
  }));

Deno.test("where the operator says nothing, a token without a destination is refused", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using service = await startTlsService(folder);
    using client = await trustingClient();
    const { status } = await ask({ service, client, token: newToken() }, "", destination.uri());
    assertEquals([status, destination.arrivals.length], [401, 0]);
  }));
