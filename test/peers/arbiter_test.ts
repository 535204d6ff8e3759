/**
 * The service as a process in a box whose arbiter is another process: asks it once a start, works
 * from when it answers, and takes the tokens that it minted before.
 */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import { DestinationServer } from "../fakes/destination_server.ts";
import { defined } from "../fakes/expect.ts";
import { runTask, type ServiceProcess, startProcess } from "../fakes/service_process.ts";
import { SERVICE_NAME } from "../fakes/tls_client.ts";
import { ZestArbiterServer } from "../fakes/zest_arbiter_server.ts";
import { withFolder } from "../fakes/folder.ts";

const TOKEN = "dG9rZW4gb2YgdGhlIHNlcnZpY2UsIDMyIGJ5dGVzIQ==";
const SECRETS = "data/secrets";

async function startBeside(
  arbiter: ZestArbiterServer,
  folder: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<ServiceProcess> {
  await Deno.mkdir(`${folder}/${SECRETS}`, { recursive: true });
  const files = { ARBITER_TOKEN: TOKEN, ZMQ_PUBLIC_KEY: arbiter.publicKey };
  for (const [name, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/${SECRETS}/${name}`, text);
  }
  const env = { DATABOX_ARBITER_ENDPOINT: arbiter.endpoint.href, EXPORT_SECRETS_DIR: SECRETS };
  return await startProcess({ folder, env: { ...env, ...settings } });
}

/** A token as the arbiter mints it now. */
function mintedBy(arbiter: ZestArbiterServer, destination: string): string {
  const permission = { target: SERVICE_NAME, path: "/lp/export", method: "POST", destination };
  const secret = defined(arbiter.secrets.get(SERVICE_NAME));
  return mintToken(secret, { caveats: exportCaveats(permission) });
}

async function submit({ port }: ServiceProcess, token: string, uri: string, id = "") {
  const response = await fetch(`http://127.0.0.1:${port}/lp/export`, {
    method: "POST",
    headers: { "x-api-key": token },
    body: JSON.stringify({ id, uri, data: "{}" }),
  });
  return { response, answer: await response.json() };
}

async function readiness({ port }: ServiceProcess): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
  await response.body?.cancel();
  return response.status;
}

Deno.test("the secret is fetched once a start; tokens of before a restart stay good", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using arbiter = new ZestArbiterServer();
    arbiter.register(SERVICE_NAME, TOKEN);
    const uri = destination.uri();
    const tokens: string[] = [];
    for (const round of [1, 2]) {
      await using service = await startBeside(arbiter, folder);
      await service.logged("root_key.obtained");
      assertEquals([await readiness(service), arbiter.requests.length], [200, round]);
      tokens.push(mintedBy(arbiter, uri));
      for (const token of tokens) {
        assertEquals((await submit(service, token, uri)).answer.state, "Pending");
      }
      // A refusal is no reason to ask again: that would make the arbiter forget the secret.
      assertEquals((await submit(service, tokens[0] + "x", uri)).response.status, 401);
      assertEquals(arbiter.requests.length, round);
      await destination.arrived(({ length }) => length === 2 * round - 1);
      const printed = service.lines.join("\n");
      for (const secret of [...arbiter.secrets.values(), TOKEN, ...tokens]) {
        assert(!printed.includes(secret));
      }
      assertEquals((await service.kill("SIGTERM")).code, 0);
    }
    assertNotEquals(tokens[0], tokens[1]);
    assertEquals(arbiter.faults, []);
  }));

Deno.test("with a grace of 0s the tokens of before a restart are void at once", () =>
  withFolder(async (folder) => {
    await using arbiter = new ZestArbiterServer();
    arbiter.register(SERVICE_NAME, TOKEN);
    const uri = "http://127.0.0.1:9/";
    const tokens: string[] = [];
    const statuses: number[] = [];
    for (let start = 0; start < 2; start++) {
      await using service = await startBeside(arbiter, folder, { EXPORT_SECRET_GRACE: "0s" });
      await service.logged("root_key.obtained");
      tokens.push(mintedBy(arbiter, uri));
      for (const token of tokens) {
        // A poll, so that nothing is sent.
        const { response } = await submit(service, token, uri, crypto.randomUUID());
        statuses.push(response.status);
      }
    }
    assertEquals(statuses, [404, 401, 404]);
  }));

Deno.test("until there is an arbiter the service listens, is not ready, and asks to come back", () =>
  withFolder(async (folder) => {
    const absent = new ZestArbiterServer();
    const { port, secretKey } = absent;
    await absent[Symbol.asyncDispose]();
    await using service = await startBeside(absent, folder);
    const failed = await service.logged("root_key.failed");
    assertEquals([failed.code, await readiness(service)], ["connect_failed", 503]);
    const token = mintToken("a secret that nobody knows yet", { caveats: ["target = x"] });
    const { response, answer } = await submit(service, token, "http://127.0.0.1:9/");
    assertEquals([response.status, response.headers.get("retry-after")], [503, "5"]);
    assertMatch(answer.type, /:root_key_unavailable$/);
    assertEquals((await submit(service, "nonsense", "http://127.0.0.1:9/")).response.status, 401);

    await using arbiter = new ZestArbiterServer({ port, secretKey });
    arbiter.register(SERVICE_NAME, TOKEN);
    await service.logged("root_key.obtained");
    assertEquals(await readiness(service), 200);
    const refused = mintedBy(arbiter, "http://127.0.0.1:9/elsewhere");
    assertEquals((await submit(service, refused, "http://127.0.0.1:9/")).response.status, 401);
  }));

Deno.test("asking goes on while the service stops, and does not hold it up", () =>
  withFolder(async (folder) => {
    await using arbiter = new ZestArbiterServer({ answer: () => undefined });
    await using service = await startBeside(arbiter, folder);
    assertEquals((await service.kill("SIGTERM")).code, 0);
    await service.logged("service.stopped");
  }));

Deno.test("an arbiter without its files is a wrong start, and every missing file is named", () =>
  withFolder(async (folder) => {
    const env = { DATABOX_ARBITER_ENDPOINT: "tcp://arbiter:4444", EXPORT_SECRETS_DIR: "data" };
    const { code, stderr } = await runTask("start", { folder, env });
    assertEquals(code, 2);
    assertMatch(stderr, /ARBITER_TOKEN and ZMQ_PUBLIC_KEY not found in "data"/);
  }));
