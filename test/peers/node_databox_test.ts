/**
 * The real client library of Databox 0.5 and the real ZeroMQ, against the service as a process:
 * what an app does today must go on working. Its only help is told in `export_service_host.cjs`.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { DestinationServer } from "../fakes/destination_server.ts";
import type { ServiceProcess } from "../fakes/service_process.ts";
import { readTlsFixture } from "../fakes/tls_client.ts";
import { installScripts, missingTools, NodeProcess } from "./node_process.ts";
import { SECRET, startTlsService } from "./tls_service.ts";
import { withFolder } from "../fakes/folder.ts";

const HERE = new URL("./node_databox/", import.meta.url);
const UNKNOWN_ID = "6f0f1b9c-0000-4000-8000-0123456789ab";
const APP_TOKEN = "dG9rZW4gb2YgYW4gYXBwLCAzMiByYW5kb20gYnl0ZXM=";

interface Receipt {
  readonly id: string;
  readonly state: string;
  readonly ext_response: unknown;
}

interface Answer {
  readonly resolved?: Receipt;
  readonly rejected?: string;
}

/** The scripts with their packages; the client's own ZeroMQ needs a compiler, so it gets another. */
async function install(folder: string): Promise<void> {
  await installScripts(HERE, folder);
  const own = `${folder}/node_modules/node-databox/node_modules/zeromq`;
  await Deno.remove(own, { recursive: true });
  await Deno.mkdir(own);
  await Deno.copyFile(`${folder}/zeromq_v5.cjs`, `${own}/index.js`);
}

async function startArbiter(folder: string, destinations: readonly string[]) {
  const settings = { secret: SECRET, serviceToken: "secret", appToken: APP_TOKEN, destinations };
  const env = { ARBITER_SETTINGS: JSON.stringify(settings) };
  const process = new NodeProcess({ folder, args: ["arbiter.cjs"], env });
  const { port, publicKey } = Object(await process.heard());
  return { process, port: Number(port), publicKey: String(publicKey) };
}

interface AppParts {
  readonly folder: string;
  readonly service: ServiceProcess;
  readonly arbiter: { readonly port: number; readonly publicKey: string };
}

async function startApp({ folder, service, arbiter }: AppParts) {
  const secrets = `${folder}/app_secrets`;
  await Deno.mkdir(secrets);
  await Deno.writeTextFile(`${secrets}/DATABOX_ROOT_CA`, await readTlsFixture("ca.pem"));
  const process = new NodeProcess({
    folder,
    args: ["-r", "./export_service_host.cjs", "client.cjs"],
    env: {
      DATABOX_VERSION: "x",
      DATABOX_ARBITER_ENDPOINT: `tcp://127.0.0.1:${arbiter.port}`,
      CORE_STORE_KEY: arbiter.publicKey,
      ARBITER_TOKEN: APP_TOKEN,
      SERVICE_PORT: `${service.port}`,
      SECRETS_FOLDER: secrets,
    },
  });
  const longpoll = async (destination: string, payload: unknown, id?: string): Promise<Answer> =>
    Object(
      await process.ask(id === undefined ? [destination, payload] : [destination, payload, id]),
    );
  return { process, longpoll };
}

/** What resolves the promise of a call. */
async function receiptOf(call: Promise<Answer>): Promise<Receipt> {
  const { resolved, rejected } = await call;
  if (resolved === undefined) throw new Error(`Expected a receipt, found: ${rejected}`);
  return resolved;
}

/** What rejects it, as text. */
async function refusalOf(call: Promise<Answer>): Promise<string> {
  const { resolved, rejected } = await call;
  if (rejected === undefined) throw new Error(`Expected a refusal, found ${resolved?.state}`);
  return rejected;
}

interface World {
  readonly destination: DestinationServer;
  /** Where the app may export to. */
  readonly uri: string;
  readonly other: string;
  readonly longpoll: Awaited<ReturnType<typeof startApp>>["longpoll"];
}

async function outcome({ longpoll, uri }: World, id: string): Promise<Receipt> {
  for (;;) {
    const receipt = await receiptOf(longpoll(uri, {}, id));
    if (receipt.state === "Finished") return receipt;
  }
}

const STORIES: Record<string, (world: World) => Promise<void>> = {
  async "an object is submitted, and polled to its outcome"(world) {
    const { destination, longpoll, uri } = world;
    const first = await receiptOf(longpoll(uri, { steps: 8211, name: "ü" }));
    assertEquals(first, { id: first.id, state: "Pending", ext_response: {} });
    const finished = await outcome(world, first.id);
    assertEquals(finished, {
      id: first.id,
      state: "Finished",
      ext_response: { status: "200 OK", body: "thank you" },
    });
    assertEquals(await outcome(world, first.id), finished);
    assertEquals(destination.arrivals.map(({ body }) => body), ['{"steps":8211,"name":"ü"}']);
  },

  async "a string that is JSON text goes as it is"(world) {
    const { destination, longpoll, uri } = world;
    const { id } = await receiptOf(longpoll(uri, "[1.0, 12345678901234567890]"));
    await outcome(world, id);
    assertEquals(destination.arrivals.at(-1)?.body, "[1.0, 12345678901234567890]");
  },

  async "a string that is plain text is refused, in words"({ longpoll, uri }) {
    assertMatch(await refusalOf(longpoll(uri, "plain text")), /StatusCodeError: 400 - .*data/);
  },

  async "an unknown id is refused"({ longpoll, uri }) {
    assertMatch(await refusalOf(longpoll(uri, {}, UNKNOWN_ID)), /StatusCodeError: 404 - /);
  },

  async "a result is not told to a token for another destination"(world) {
    const { longpoll, uri, other } = world;
    const { id } = await receiptOf(longpoll(uri, {}));
    assertMatch(await refusalOf(longpoll(other, {}, id)), /StatusCodeError: 404 - /);
    await outcome(world, id);
  },

  async "a destination that was not granted is refused by the arbiter; others go on"(world) {
    const { destination, longpoll, uri } = world;
    const before = destination.arrivals.length;
    const refusal = await refusalOf(longpoll(destination.uri("/not-granted"), {}));
    assertMatch(refusal, /unauthorized/);
    await outcome(world, (await receiptOf(longpoll(uri, {}))).id);
    assertEquals(destination.arrivals.length, before + 1);
  },
};

const missing = missingTools("node", "npm");
const title = "an app with node-databox 0.10.8 goes on working";

Deno.test({
  name: missing === undefined ? title : `${title} (skipped: ${missing})`,
  ignore: missing !== undefined,
  fn: (t) =>
    withFolder(async (folder) => {
      await install(folder);
      await using destination = new DestinationServer(() => new Response("thank you"));
      const [uri, other] = [destination.uri("/in"), destination.uri("/other")];
      const arbiter = await startArbiter(folder, [uri, other]);
      await using _arbiter = arbiter.process;
      await using service = await startTlsService(folder);
      const app = await startApp({ folder, service, arbiter });
      await using _app = app.process;
      const world = { destination, uri, other, longpoll: app.longpoll };
      for (const [name, story] of Object.entries(STORIES)) await t.step(name, () => story(world));

      await t.step("all this under a certificate that the client verified", async () => {
        await app.process.end();
        assert(!(await app.process.errors).includes("will not be checked"));
        assert(!service.lines.join("\n").includes(SECRET));
      });
    }),
});
