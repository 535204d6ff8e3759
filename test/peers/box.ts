/**
 * The rest of a Databox, for the test of the image: an arbiter where every container looks for it,
 * an app that asks it for a token and exports, and a destination on the internet. Run by
 * `.ci/container`, in networks that are cut off from every other.
 *
 *   box.ts destination FOLDER    serves with FOLDER/destination.{pem,key}
 *   box.ts inside FOLDER         writes FOLDER/secrets/{ARBITER_TOKEN,ZMQ_PUBLIC_KEY}, trusts
 *                                FOLDER/root.pem; prints the status and the outcome of one export
 */
// deno-lint-ignore-file no-console -- the outcome is printed
import { decodeAnswer } from "../../src/arbiter/zest.ts";
import { createKeyPair } from "../../src/zmtp/curve.ts";
import { requestOnce } from "../../src/zmtp/req_client.ts";
import { decodeZ85 } from "../../src/zmtp/z85.ts";
import { defined } from "../fakes/expect.ts";
import { SERVICE_NAME } from "../fakes/tls_client.ts";
import { ZestArbiterServer } from "../fakes/zest_arbiter_server.ts";

const ARBITER_PORT = 4_444;
const API = `https://${SERVICE_NAME}:8080`;
const DESTINATION = "https://export.example.com/in";
const APP = { name: "app-test", token: "dG9rZW4gb2YgYW4gYXBwLCAzMiByYW5kb20gYnl0ZXM=" };
const SERVICE_TOKEN = "dG9rZW4gb2YgdGhlIHNlcnZpY2UsIDMyIGJ5dGVzIQ==";
const ROUTE = { target: SERVICE_NAME, path: "/lp/export", method: "POST" };
const LIMIT_MS = 180_000;

const randomBytes = (size: number) => crypto.getRandomValues(new Uint8Array(size));

/** The app's question for a token, as Zest has it: POST /token, with JSON. */
async function tokenFrom(arbiter: ZestArbiterServer, signal: AbortSignal): Promise<string> {
  const utf8 = new TextEncoder();
  const option = (number: number, value: Uint8Array) => [0, number, 0, value.length, ...value];
  const request = Uint8Array.from([
    ...[2, 3, 0, APP.token.length, ...utf8.encode(APP.token)],
    ...option(11, utf8.encode("/token")),
    ...option(3, utf8.encode(APP.name)),
    ...option(12, Uint8Array.of(0, 50)),
    ...utf8.encode(JSON.stringify({ ...ROUTE, caveats: [{ destination: DESTINATION }] })),
  ]);
  const conn = await Deno.connect({ hostname: "arbiter", port: ARBITER_PORT });
  const serverKey = defined(decodeZ85(arbiter.publicKey));
  const options = { serverKey, keyPair: createKeyPair(randomBytes), randomBytes, signal };
  const answer = decodeAnswer(await requestOnce(conn, options, request));
  if (answer.kind === "failed") throw new Error(`The arbiter mints no token: ${answer.code}`);
  return new TextDecoder().decode(answer.payload);
}

/** Asks until the service says that it is ready. */
async function readiness(client: Deno.HttpClient, signal: AbortSignal): Promise<void> {
  for (let status = 0; status !== 200;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    signal.throwIfAborted();
    try {
      const response = await fetch(`${API}/health/ready`, { client, signal });
      await response.body?.cancel();
      status = response.status;
    } catch (error) {
      // It does not listen yet.
      if (signal.aborted) throw error;
    }
  }
}

async function exportOnce(client: Deno.HttpClient, token: string, signal: AbortSignal) {
  const ask = async (id: string) => {
    const response = await fetch(`${API}/lp/export`, {
      client,
      signal,
      method: "POST",
      headers: { "x-api-key": token },
      body: JSON.stringify({ id, uri: DESTINATION, data: JSON.stringify({ steps: 8211 }) }),
    });
    return { status: response.status, answer: await response.json() };
  };
  let last = await ask("");
  while (last.status === 200 && last.answer.state !== "Finished") last = await ask(last.answer.id);
  return `${last.status} ${JSON.stringify(last.answer)}`;
}

async function serveDestination(folder: string): Promise<void> {
  const [cert, key] = await Promise.all([
    Deno.readTextFile(`${folder}/destination.pem`),
    Deno.readTextFile(`${folder}/destination.key`),
  ]);
  await Deno.serve({ port: 443, cert, key, onListen: () => {} }, async (request) => {
    return new Response(`received ${(await request.text()).length} bytes`);
  }).finished;
}

async function liveInside(folder: string): Promise<void> {
  const signal = AbortSignal.timeout(LIMIT_MS);
  const root = await Deno.readTextFile(`${folder}/root.pem`);
  const arbiter = new ZestArbiterServer({ port: ARBITER_PORT });
  arbiter.register(SERVICE_NAME, SERVICE_TOKEN);
  arbiter.register(APP.name, APP.token);
  arbiter.grant(APP.name, { ...ROUTE, caveats: [{ destination: DESTINATION }] });
  await Deno.writeTextFile(`${folder}/secrets/ARBITER_TOKEN`, SERVICE_TOKEN, { mode: 0o444 });
  await Deno.writeTextFile(`${folder}/secrets/ZMQ_PUBLIC_KEY`, arbiter.publicKey, { mode: 0o444 });
  const client = Deno.createHttpClient({ caCerts: [root] });
  await readiness(client, signal);
  const token = await tokenFrom(arbiter, signal);
  console.log(await exportOnce(client, token, signal));
  Deno.exit(0);
}

if (import.meta.main) {
  const [part, folder = ""] = Deno.args;
  await (part === "destination" ? serveDestination(folder) : liveInside(folder));
}
