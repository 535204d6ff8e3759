/** Where the secret comes from: each set of settings and files has one answer. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "node:path";
import { type Config, readConfig } from "../../src/config.ts";
import {
  findSecretSource,
  type SecretSource,
  secretWarnings,
} from "../../src/machine/secret_source.ts";
import { UsageError } from "../../src/machine/flags.ts";
import { readTlsFixture } from "../fakes/tls_client.ts";

type Texts = Readonly<Record<string, string>>;

const ZEST = {
  ARBITER_TOKEN: "t0ken=",
  ZMQ_PUBLIC_KEY: "vl6wu0A@XP?}Or/&BR#LSxn>A+}L)p44/W[wXL3<",
};

function configOf(settings: Texts): Config {
  const result = readConfig((name) => settings[name]);
  if (result.kind === "read") return result.config;
  throw new Error(result.faults.join("\n"));
}

async function found(settings: Texts, files: Texts): Promise<SecretSource> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(join(folder, name), text);
    }
    const places = { EXPORT_SECRETS_DIR: folder, EXPORT_KV_PATH: join(folder, "export.kv") };
    return await findSecretSource(configOf({ ...places, ...settings }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** What is asked, as text; in each story only the endpoint differs. */
async function accessOf(settings: Texts, files: Texts) {
  const source = await found(settings, files);
  if (source.kind === "arbiter") return source.access;
  throw new Error(`Expected an arbiter, found a secret: ${source.kind}`);
}

const ascii = (text: string) => new TextEncoder().encode(text);

Deno.test("a secret that is told comes before any arbiter", async () => {
  const settings = { EXPORT_SECRET: "told", DATABOX_ARBITER_ENDPOINT: "tcp://arbiter:4444" };
  assertEquals(await found(settings, ZEST), { kind: "given", secret: "told" });
});

Deno.test("an arbiter's token among the secrets is enough to ask it, at the place of Databox 0.5", async () => {
  assertEquals(await accessOf({}, ZEST), {
    kind: "zest",
    endpoint: new URL("tcp://arbiter:4444"),
    name: "export-service",
    token: ascii(ZEST.ARBITER_TOKEN),
    serverKey: ZEST.ZMQ_PUBLIC_KEY,
  });
});

Deno.test("the files of the arbiter are used to the last byte, line ends and all", async () => {
  const files = { ARBITER_TOKEN: " token\n", ZMQ_PUBLIC_KEY: "key\n" };
  const access = await accessOf({ DATABOX_LOCAL_NAME: "exports" }, files);
  assertEquals(access, {
    kind: "zest",
    endpoint: new URL("tcp://arbiter:4444"),
    name: "exports",
    token: ascii(" token\n"),
    serverKey: "key",
  });
});

Deno.test("where the arbiter is may be set", async () => {
  const access = await accessOf({ DATABOX_ARBITER_ENDPOINT: "tcp://localhost:5555" }, ZEST);
  assertEquals([access.kind, access.endpoint.href], ["zest", "tcp://localhost:5555"]);
});

Deno.test("an arbiter by https is asked with the key of Databox 0.4, under the box's CA", async () => {
  const settings = { DATABOX_ARBITER_ENDPOINT: "https://arbiter:8080" };
  const endpoint = new URL("https://arbiter:8080");
  const ca = await readTlsFixture("ca.pem");
  const files = { DATABOX_EXPORT_SERVICE_KEY: "key", DATABOX_ROOT_CA: ca };
  const asked = { kind: "https", endpoint, key: ascii("key") };
  assertEquals(await accessOf(settings, files), { ...asked, ca });
  const { DATABOX_ROOT_CA: _, ...withoutCa } = files;
  assertEquals(await accessOf(settings, withoutCa), { ...asked, ca: undefined });
});

const incomplete: readonly (readonly [endpoint: string, files: Texts, missing: RegExp])[] = [
  ["tcp://arbiter:4444", {}, /ARBITER_TOKEN and ZMQ_PUBLIC_KEY/],
  ["tcp://arbiter:4444", { ARBITER_TOKEN: "5ecret" }, /: ZMQ_PUBLIC_KEY not found/],
  ["tcp://arbiter:4444", { ZMQ_PUBLIC_KEY: "5ecret" }, /: ARBITER_TOKEN not found/],
  ["https://arbiter:8080", ZEST, /: DATABOX_EXPORT_SERVICE_KEY not found/],
];

for (const [DATABOX_ARBITER_ENDPOINT, files, missing] of incomplete) {
  const there = Object.keys(files).join(" and ") || "nothing";
  Deno.test(`to ask ${DATABOX_ARBITER_ENDPOINT} with ${there} is refused: no secret has a default`, async () => {
    const asked = () => found({ DATABOX_ARBITER_ENDPOINT }, files);
    const { message } = await assertRejects(asked, UsageError);
    assertMatch(message, missing);
    assert(!message.includes("5ecret"));
  });
}

const block = (text: string) => `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;

const useless: readonly (readonly [what: string, text: string, why: RegExp])[] = [
  ["nothing", "", /: no PEM certificate in it\. It must hold /],
  ["something else", "5ecret", /: no PEM certificate in it\. It must hold /],
  ["a certificate that is none", block("AAAA"), /cannot be used: .+\. It must hold /],
  ["a certificate that is no base64", block("!!!!"), /cannot be used: .+\. It must hold /],
];

for (const [what, DATABOX_ROOT_CA, why] of useless) {
  Deno.test(`a CA of the box that is ${what} is a wrong start, not left aside`, async () => {
    const settings = { DATABOX_ARBITER_ENDPOINT: "https://arbiter:8080" };
    const asked = () => found(settings, { DATABOX_EXPORT_SERVICE_KEY: "key", DATABOX_ROOT_CA });
    const { message } = await assertRejects(asked, UsageError, "DATABOX_ROOT_CA");
    assertMatch(message, why);
    assert(!message.includes("5ecret"));
  });
}

Deno.test("a file of the arbiter that is there and cannot be read is a fault, not a missing one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    // What a container engine makes of a mount whose source is not there.
    await Deno.mkdir(join(folder, "ARBITER_TOKEN"));
    const settings = { EXPORT_SECRETS_DIR: folder, EXPORT_KV_PATH: join(folder, "export.kv") };
    await assertRejects(() => findSecretSource(configOf(settings)), Error, "is a folder");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("without a secret and an arbiter the service has its own, the same at each start", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const settings = { EXPORT_SECRETS_DIR: folder, EXPORT_KV_PATH: join(folder, "export.kv") };
    const first = await findSecretSource(configOf(settings));
    assertEquals([first.kind, "isNew" in first && first.isNew], ["own", true]);
    assertEquals(await findSecretSource(configOf(settings)), { ...first, isNew: false });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

const HTTPS = { DATABOX_ARBITER_ENDPOINT: "https://arbiter:8080" };

const warned: readonly (readonly [settings: Texts, files: Texts, warning: RegExp | undefined])[] = [
  [{ EXPORT_SECRET: "5ecret 15 chars" }, {}, /^EXPORT_SECRET has under 16 .*guesses/],
  [{ EXPORT_SECRET: "5ecret 16 chars." }, {}, undefined],
  [{}, { "root.key": "5ecret\n" }, /^root\.key has under 16 .*guesses.*voids all tokens$/],
  [{}, { "root.key": "5ecret 16 chars.\n" }, undefined],
  [{}, {}, undefined],
  [{}, ZEST, undefined],
  [{}, { ...ZEST, ARBITER_TOKEN: "5ecret=\n" }, /^ARBITER_TOKEN ends in a line end .*without$/],
  [{}, { ...ZEST, ARBITER_TOKEN: "5ecret= " }, /^ARBITER_TOKEN ends in a line end /],
  [HTTPS, { DATABOX_EXPORT_SERVICE_KEY: "5ecret\n" }, /^DATABOX_EXPORT_SERVICE_KEY ends in /],
  [HTTPS, { DATABOX_EXPORT_SERVICE_KEY: "5ecret" }, undefined],
  [HTTPS, { DATABOX_EXPORT_SERVICE_KEY: "no text\0\n" }, undefined],
];

for (const [settings, files, warning] of warned) {
  const given = JSON.stringify({ ...settings, ...files });
  Deno.test(`a start with ${given} warns of ${warning ?? "nothing"}, and tells no secret`, async () => {
    const warnings = secretWarnings(await found(settings, files));
    assertEquals(warnings.length, warning === undefined ? 0 : 1);
    for (const told of warnings) {
      assertMatch(told, warning ?? /^$/);
      assert(!told.includes("5ecret"));
    }
  });
}
