/** Requests whose body ends before it should: the app's matter, not a failure of the service. */
import { assertEquals, assertMatch } from "@std/assert";
import { openTestService, type TestService } from "../fakes/test_service.ts";

/** Sends the beginning of a request, then nothing more; answers what comes back. */
async function askInPart(service: TestService, head: string, part: string): Promise<string> {
  const server = Deno.serve({ port: 0, onListen: () => {} }, service.app.fetch);
  const connection = await Deno.connect({ port: server.addr.port });
  try {
    const lines = ["POST /lp/export HTTP/1.1", "host: x", `x-api-key: ${service.token()}`, head];
    await new Response(`${lines.join("\r\n")}\r\n\r\n${part}`).body?.pipeTo(connection.writable, {
      preventClose: true,
    });
    await connection.closeWrite();
    return await new Response(connection.readable).text();
  } finally {
    await server.shutdown();
  }
}

for (
  const [how, head, part] of [
    ["of known length", "content-length: 100", '{"id": ""'],
    ["in chunks", "transfer-encoding: chunked", '9\r\n{"id": ""\r\n'],
  ] as const
) {
  Deno.test(`a body ${how} that ends early is 400, and nothing is logged as a failure`, async () => {
    await using service = await openTestService();
    const answer = await askInPart(service, head, part);
    assertMatch(answer, /^HTTP\/1.1 400 .*"detail":"The body ended early\."/s);
    assertEquals(service.log, []);
    assertEquals(await service.entries(), []);
  });
}
