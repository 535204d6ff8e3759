/**
 * A client as lib-go-databox is one: its body is text put together, it gives up after 10 s, looks
 * at no status, and never asks again. What it submits must be carried out all the same.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import { DestinationServer } from "../fakes/destination_server.ts";
import { defined } from "../fakes/expect.ts";
import { exchange, SERVICE_NAME } from "../fakes/tls_client.ts";
import { SECRET, startTlsService, trustingClient } from "./tls_service.ts";
import { withFolder } from "../fakes/folder.ts";

const GIVES_UP_AFTER_MS = 10_000;

/** What the arbiter of Databox 0.5 mints: no identifier, no location, base64 with its padding. */
function tokenFor(destination: string, path = "/lp/export"): string {
  const permission = { target: SERVICE_NAME, path, method: "POST", destination };
  const token = mintToken(SECRET, { caveats: exportCaveats(permission) });
  return token.padEnd(Math.ceil(token.length / 4) * 4, "=");
}

/** A string as Go writes it as JSON. */
function goString(text: string): string {
  const escapes: Record<string, string> = { "<": "\\u003c", ">": "\\u003e", "&": "\\u0026" };
  return JSON.stringify(text).replace(/[<>&]/g, (character) => escapes[character] ?? character);
}

/** One call of the library: what the app is given, whatever it is. */
async function longpoll(
  port: number,
  { destination, payload, token }: { destination: string; payload: string; token: string },
): Promise<string> {
  const body = `{"id":"","uri":"${destination}","data":${payload}}`;
  const response = await exchange(
    port,
    [
      "POST /lp/export HTTP/1.1",
      "Host: export-service:8080",
      "User-Agent: Go-http-client/1.1",
      "Connection: close",
      `Content-Length: ${new TextEncoder().encode(body).length}`,
      "Content-Type: application/json",
      `X-Api-Key: ${token}`,
      "",
      body,
    ].join("\r\n"),
    { timeoutMs: GIVES_UP_AFTER_MS },
  );
  const [head = "", text = ""] = response.split("\r\n\r\n");
  // It asked for no other form, and takes the body as it comes.
  assert(!/^(content-encoding|transfer-encoding):/im.test(head), head);
  assertEquals(Number(/^content-length: (\d+)$/im.exec(head)?.[1]), text.length);
  return text;
}

Deno.test("an export of the Go client is answered at once, whatever the destination does", () =>
  withFolder(async (folder) => {
    const held = Promise.withResolvers<Response>();
    await using destination = new DestinationServer(() => held.promise);
    await using service = await startTlsService(folder);
    const uri = destination.uri("/in?x=1");
    const call = { destination: uri, payload: goString("[]"), token: tokenFor(uri) };
    const first = await longpoll(service.port, call);
    await destination.arrived(({ length }) => length === 1);
    const second = await longpoll(service.port, call);
    for (const answer of [first, second]) {
      assertMatch(answer, /^{"id":"[0-9a-f-]{36}","state":"Pending","ext_response":{}}$/);
    }
    held.resolve(new Response());
    await destination.arrived(({ length }) => length === 2);
  }));

Deno.test("what the Go client submits is carried out, and its result expires unread", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using service = await startTlsService(folder, { EXPORT_RETENTION: "3s" });
    const uri = destination.uri();
    const data = '{"text": "<b> & ü"}';
    const payload = goString(data);
    const { id } = JSON.parse(
      await longpoll(service.port, { destination: uri, payload, token: tokenFor(uri) }),
    );
    await destination.arrived(({ length }) => length === 1);
    const arrival = defined(destination.arrivals[0]);
    assertEquals([arrival.body, arrival.headers.get("idempotency-key")], [data, id]);

    // The client never looks; somebody else does, until there is nothing to see.
    using client = await trustingClient();
    for (let status = 200; status === 200;) {
      const response = await fetch(`https://127.0.0.1:${service.port}/export`, {
        client,
        method: "POST",
        headers: { "x-api-key": tokenFor(uri, "/export") },
        body: JSON.stringify({ id, uri, data: "{}" }),
      });
      const answer = await response.json();
      status = response.status;
      if (status !== 200) assertMatch(`${status} ${answer.type}`, /^404 .*:unknown_export$/);
    }
    assertEquals((await service.logged("delivery.attempted")).next, "finished");
    assertEquals(destination.arrivals.length, 1);
  }));

Deno.test("the Go client is told a refusal as text, on a connection that ends", () =>
  withFolder(async (folder) => {
    await using service = await startTlsService(folder);
    const uri = "http://127.0.0.1:9/";
    const stranger = tokenFor("http://127.0.0.1:9/elsewhere");
    const refused = await longpoll(service.port, {
      destination: uri,
      payload: goString("{}"),
      token: stranger,
    });
    assertEquals(JSON.parse(refused).status, 401);
    // An app that forgot to make its payload a string of JSON text.
    const bare = await longpoll(service.port, {
      destination: uri,
      payload: '{"steps": 8211}',
      token: tokenFor(uri),
    });
    const { status, detail } = JSON.parse(bare);
    assertEquals(status, 400);
    assertMatch(detail, /data/);
  }));
