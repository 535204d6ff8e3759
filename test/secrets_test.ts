/**
 * What must never be seen is looked for in everything that a service says and keeps: its output, its
 * answers, its store, key by key and byte by byte.
 */
import { assert } from "@std/assert";
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import { deriveRootKey } from "../src/authorise/macaroon.ts";
import { exportCaveats, mintToken } from "../src/authorise/mint.ts";
import { DestinationServer } from "./fakes/destination_server.ts";
import { runTask, type ServiceProcess, startProcess } from "./fakes/service_process.ts";

const SECRET = "s3cret-of-the-arbiter-2f6e\u00e9";

/** `secret` and the key derived from it, in every spelling in which they could slip out. */
function spellings(secret: string): string[] {
  const text = Buffer.from(secret, "utf8");
  const key = createHmac("sha256", "macaroons-key-generator").update(text).digest();
  return [text, key].flatMap((bytes) => [
    bytes.toString("latin1"),
    ...(["utf8", "hex", "base64", "base64url"] as const).map((encoding) =>
      bytes.toString(encoding)
    ),
    JSON.stringify(bytes.toString("utf8")).slice(1, -1),
    encodeURIComponent(bytes.toString("latin1")),
    [...bytes].join(","),
  ]).filter((text) => text.length >= 16);
}

function tokenFor(uri: string, secret: string, ...more: string[]): string {
  const place = { target: "export-service", path: "/lp/export", method: "POST", destination: uri };
  return mintToken(secret, { identifier: "app", caveats: [...exportCaveats(place), ...more] });
}

/** Lives through all that can happen to a token; answers all that was said to the client. */
async function story(service: ServiceProcess, uri: string, secret: string): Promise<string[]> {
  const good = tokenFor(uri, secret);
  const said: string[] = [];
  const ask = async (token: string, body: unknown, path = "/lp/export") => {
    const response = await fetch(`http://127.0.0.1:${service.port}${path}`, {
      method: "POST",
      headers: { "x-api-key": token },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
    const text = await response.text();
    said.push(JSON.stringify([...response.headers]), text);
    return text;
  };
  const submission = { id: "", uri, data: '{"a": 1}' };
  const { id } = JSON.parse(await ask(good, submission));
  while (!(await ask(good, { ...submission, id })).includes("Finished"));
  await ask(tokenFor(uri, "another"), submission);
  await ask(tokenFor(uri, secret, "time < 2000-01-01T00:00:00Z"), submission);
  await ask(good, { ...submission, uri: "https://elsewhere.example/" });
  await ask(good, "no json");
  await ask(secret.replace(/[^\x20-\x7e]/g, ""), submission);
  await ask(`${good}x`, submission, "/nowhere");
  return said;
}

/** Every key and value of a store, as text. */
async function storedIn(path: string): Promise<string> {
  using kv = await Deno.openKv(path);
  let text = "";
  for await (const { key, value } of kv.list({ start: [new Uint8Array()], end: [true] })) {
    const shown = value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : value;
    text += `${JSON.stringify(key)} ${JSON.stringify(shown)}\n`;
  }
  return text;
}

/** The bytes of every file in `folder` but `except`. */
async function filesIn(folder: string, except: string): Promise<string> {
  let text = "";
  for await (const { name, isFile } of Deno.readDir(folder)) {
    if (!isFile || name === except) continue;
    text += Buffer.from(await Deno.readFile(`${folder}/${name}`)).toString("latin1");
  }
  return text;
}

function assertHidden(text: string, secret: string, where: string): void {
  for (const [n, spelling] of spellings(secret).entries()) {
    assert(!text.includes(spelling), `spelling ${n} of the secret is in ${where}`);
  }
}

for (const kind of ["given by the environment", "made for standalone use"]) {
  Deno.test(`a root key ${kind} is nowhere but where it belongs, nor are tokens`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      await using destination = new DestinationServer();
      const uri = destination.uri("/in");
      const given = kind.startsWith("given");
      await using service = await startProcess({
        folder,
        env: given ? { EXPORT_SECRET: SECRET } : {},
      });
      const secret = given ? SECRET : (await Deno.readTextFile(`${folder}/data/root.key`)).trim();
      const said = await story(service, uri, secret);
      const whileRunning = await filesIn(`${folder}/data`, "root.key");
      await service.kill("SIGTERM");
      const places = {
        "its output": await service.printed(),
        "its answers": said.join("\n"),
        "its store": await storedIn(`${folder}/data/export.kv`),
        "its files": whileRunning + await filesIn(`${folder}/data`, "root.key"),
        "what it sent": JSON.stringify(destination.arrivals.map((a) => [a.body, ...a.headers])),
      };
      assert(places["its output"].includes("export.accepted"));
      assert(places["its store"].includes("signature_wrong"));
      assert(places["its files"].includes("signature_wrong"));
      for (const [where, text] of Object.entries(places)) {
        assertHidden(text, secret, where);
        // What tokens of this story have in common begins after the location and the identifier.
        const token = tokenFor(uri, secret);
        assert(!text.includes(token.slice(24, 64)), `a token is in ${where}`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("a service that cannot start says why without the secret", async () => {
  const folder = await Deno.makeTempDir();
  try {
    for (
      const faulty of [{ EXPORT_PARALLEL: "none" }, { EXPORT_EXTRA_CA: "data/missing.pem" }, {
        EXPORT_KV_PATH: "/nowhere/export.kv",
      }]
    ) {
      const env = { EXPORT_SECRET: SECRET, DATABOX_LOCAL_PORT: "0", ...faulty };
      const { code, stdout, stderr } = await runTask("start", { folder, env });
      assert(code !== 0, JSON.stringify(faulty));
      assertHidden(stdout + stderr, SECRET, "its last words");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a root key shows itself in no print", () => {
  const secret = "a secret of the tests";
  const key = deriveRootKey(secret);
  const printed = [
    Deno.inspect(key),
    String(key),
    JSON.stringify({ key }),
    Deno.inspect({ key }, {
      showHidden: true,
      depth: 9,
    }),
  ];
  assertHidden(printed.join("\n"), secret, "a print");
});
