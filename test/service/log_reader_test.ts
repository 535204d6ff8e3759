/** A log whose reader has stopped reading, as in a terminal after Ctrl-S. */
import { assertEquals } from "@std/assert";
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import { DestinationServer } from "../fakes/destination_server.ts";
import { withFolder } from "../fakes/folder.ts";
import { startProcess } from "../fakes/service_process.ts";

/** Their lines take 300 KB of log; a pipe holds 64 KiB. */
const EXPORTS = 600;

Deno.test("where nobody reads the log any more, all goes on when somebody does, and nothing is lost", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using service = await startProcess({ folder, env: { EXPORT_SECRET: "of the tests" } });
    const uri = destination.uri("/in");
    const where = {
      target: "export-service",
      path: "/lp/export",
      method: "POST",
      destination: uri,
    };
    const token = mintToken("of the tests", { caveats: exportCaveats(where) });
    const reading = Promise.withResolvers<void>();
    service.mayRead = reading.promise;
    const answers = Array.from({ length: EXPORTS }, async () => {
      const response = await fetch(`http://127.0.0.1:${service.port}/lp/export`, {
        method: "POST",
        headers: { "x-api-key": token },
        body: JSON.stringify({ id: "", uri, data: "{}" }),
      });
      await response.body?.cancel();
      return response.status;
    });
    await answers[0];
    reading.resolve();
    assertEquals(new Set(await Promise.all(answers)), new Set([200]));
    const { code } = await service.kill("SIGTERM");
    assertEquals(code, 0);
    const accepted = service.lines.filter((line) => line.includes('"export.accepted"'));
    assertEquals(accepted.length, EXPORTS);
  }));
