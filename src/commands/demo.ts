/**
 * `deno task demo`: the whole story in one terminal. A service with a store in memory, a
 * destination, a token, an export and its outcome; all of it real, on this machine, and gone at
 * the end.
 */
import { startService } from "../service/service.ts";
import { exportCaveats, mintToken } from "../authorise/mint.ts";
import { readConfig } from "../config.ts";
import { flagsOf } from "../machine/flags.ts";
import { runCommand } from "../machine/run_command.ts";
import { permitted } from "../machine/settings.ts";

const SETTINGS = new Map([
  ["DATABOX_LOCAL_PORT", "0"],
  ["EXPORT_KV_PATH", ":memory:"],
  ["EXPORT_UNSAFE_ALLOW_LOOPBACK", "1"],
]);

/** Narrates the demo through `print`, a line at a time. */
export async function demo(print: (line: string) => void): Promise<void> {
  const config = permitted(readConfig((name) => SETTINGS.get(name)));
  const secret = crypto.randomUUID();

  const destination = startDestination(print);
  const service = await startService({
    config,
    source: { kind: "given", secret },
    log: () => {},
  });
  try {
    const api = `http://127.0.0.1:${service.port}/lp/export`;
    print(`1. The export service listens at ${api}`);
    print(`2. A destination, outside the box, listens at ${destination.uri}`);

    const caveats = exportCaveats({
      target: config.DATABOX_LOCAL_NAME,
      path: "/lp/export",
      method: "POST",
      destination: destination.uri,
    });
    const token = mintToken(secret, { caveats });
    print(`3. The arbiter gives the app a token for that destination: ${token.slice(0, 24)}…`);

    const ask = async (id: string) => {
      const body = { id, uri: destination.uri, data: JSON.stringify({ steps: 8_211 }) };
      print(`   → POST /lp/export ${JSON.stringify(body)}`);
      const headers = { "x-api-key": token };
      const response = await fetch(api, { method: "POST", headers, body: JSON.stringify(body) });
      const receipt = await response.json();
      print(`   ← ${response.status} ${JSON.stringify(receipt)}`);
      if (!response.ok) throw new Error("Cannot go on: the service refused");
      return receipt;
    };

    print("4. The app submits an export:");
    let { id, state } = await ask("");
    print("5. The app asks what became of it; the service answers when there is news:");
    while (state !== "Finished") ({ state } = await ask(id));
    print("6. Finished: the data has left, and the app has the destination's answer.");
  } finally {
    await service.stop(0);
    await destination.stop();
  }
}

function startDestination(print: (line: string) => void) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, receive);
  async function receive(request: Request): Promise<Response> {
    print(`   ⇒ the destination receives ${await request.text()}`);
    return new Response("thank you");
  }
  return { uri: `http://127.0.0.1:${server.addr.port}/inbox`, stop: () => server.shutdown() };
}

const USAGE =
  "Usage: deno task demo\n\nTells the story of an export, on this machine and gone at the end.";

if (import.meta.main) {
  await runCommand(async (print) => {
    flagsOf({ args: Deno.args }, USAGE);
    await demo(print);
  }, USAGE);
}
