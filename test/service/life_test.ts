/** What a service finds at its start, holds while it works, and says at its end. */
import { assert, assertEquals } from "@std/assert";
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import { keys } from "../../src/ledger/keys.ts";
import { stage } from "../../src/ledger/staging.ts";
import { decodeLease } from "../../src/ledger/stored.ts";
import { STAGING_MAX_MS } from "../../src/limits.ts";
import { openCopy } from "../../src/machine/store_copy.ts";
import { openStore } from "../../src/machine/store_file.ts";
import { DestinationServer } from "../fakes/destination_server.ts";
import { withFolder } from "../fakes/folder.ts";
import {
  runTask,
  type ServiceProcess,
  spawnProcess,
  startProcess,
} from "../fakes/service_process.ts";

const SECRET = "a secret of the tests";
const env = { EXPORT_SECRET: SECRET };

function tokenFor(destination: string, path: string, method: string): string {
  const caveats = exportCaveats({ target: "export-service", path, method, destination });
  return mintToken(SECRET, { caveats });
}

async function submit({ port }: ServiceProcess, uri: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/export`, {
    method: "POST",
    headers: { "x-api-key": tokenFor(uri, "/export", "POST") },
    body: JSON.stringify({ id: "", uri, data: "{}" }),
  });
  assertEquals((await response.json()).state, "Pending");
}

/** The values in the store of a running service whose keys begin with `prefix`. */
async function storedIn(folder: string, prefix: Deno.KvKey): Promise<unknown[]> {
  const { kv, close } = await openCopy(`${folder}/data/export.kv`, 0);
  const values = await Array.fromAsync(kv.list({ prefix }), ({ value }) => value);
  close();
  return values;
}

Deno.test("a start removes what was staged for an export that was never accepted", () =>
  withFolder(async (folder) => {
    const { kv, close } = await openStore(`${folder}/data/export.kv`);
    const now = Date.now();
    await stage(kv, "old", [new Uint8Array(1)], now - STAGING_MAX_MS - 1);
    await stage(kv, "new", [new Uint8Array(1)], now);
    close();
    await using _service = await startProcess({ folder, env });
    let left: readonly unknown[] = [];
    for (let tries = 0; left.length !== 1 && tries < 100; tries++) {
      left = await storedIn(folder, keys.stagings());
    }
    assertEquals(left, [{ at: now, parts: 1 }]);
  }));

Deno.test("a lease outlasts the longest attempt that the settings permit", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer(() => new Promise(() => {}));
    await using service = await startProcess({
      folder,
      env: { ...env, EXPORT_ATTEMPT_TIMEOUT: "5m" },
    });
    await submit(service, destination.uri());
    await destination.arrived(({ length }) => length === 1);
    const leases = await storedIn(folder, keys.leases());
    const [ms = 0] = leases.map((value) => {
      const { since = Infinity, until } = decodeLease(value as Uint8Array);
      return until - since;
    });
    assert(ms > 5 * 60_000, `${ms} ms`);
  }));

Deno.test("a signal that comes during the start leads to an orderly stop, too", () =>
  withFolder(async (folder) => {
    await using service = spawnProcess({ folder, env });
    await service.logged("service.starting");
    assertEquals((await service.kill("SIGTERM")).code, 0);
    await service.logged("service.stopped");
  }));

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  Deno.test(`${signal} closes a socket with 1001, once all that was accepted on it is answered`, () =>
    withFolder(async (folder) => {
      await using service = await startProcess({ folder, env });
      const uri = "http://127.0.0.1:9/";
      const socket = new WebSocket(`ws://127.0.0.1:${service.port}/ws/export`, {
        headers: { "x-api-key": tokenFor(uri, "/ws/export", "GET") },
      });
      await new Promise((resolve) => socket.onopen = resolve);
      const told = new Set<unknown>();
      const begun = Promise.withResolvers<void>();
      socket.onmessage = ({ data }) => {
        told.add(JSON.parse(data).id);
        begun.resolve();
      };
      const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
      for (let n = 0; n < 200; n++) socket.send(JSON.stringify({ id: "", uri, data: "{}" }));
      await begun.promise;
      assertEquals((await service.kill(signal)).code, 0);
      assertEquals((await closed).code, 1001);
      await service.logged("service.stopped");
      const { stdout } = await runTask("ledger", { folder });
      const accepted = stdout.trim().split("\n").map((line) => JSON.parse(line))
        .filter(({ kind }) => kind === "export.accepted");
      assert(accepted.length > 0);
      assertEquals(accepted.filter(({ id }) => !told.has(id)), []);
    }));
}
