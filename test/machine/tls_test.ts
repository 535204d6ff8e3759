/** Certificate and key of the listener: every form that is handed in serves, and no other. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { join } from "node:path";
import { connect } from "node:tls";
import {
  obtainTls,
  parsePem,
  type PemResult,
  readTls,
  tlsPath,
  watchDates,
} from "../../src/machine/tls.ts";
import { UsageError } from "../../src/machine/flags.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { exchange, readTlsFixture, SERVICE_NAME } from "../fakes/tls_client.ts";
import { withFolder } from "../fakes/folder.ts";

const NOW = Date.parse("2026-06-01T12:00:00Z");
const REQUEST = "GET / HTTP/1.1\r\nhost: export-service\r\nconnection: close\r\n\r\n";

async function fileOf(...names: string[]): Promise<string> {
  return (await Promise.all(names.map(readTlsFixture))).join("");
}

function tlsOf(result: PemResult) {
  if (result.kind === "tls") return result;
  throw new Error(`Expected TLS, found that ${result.reason}`);
}

function reasonOf(result: PemResult): string {
  if (result.kind === "broken") return result.reason;
  throw new Error("Expected it to be broken");
}

/** A listener with what the file says; tells its port. */
async function serving(text: string, story: (port: number) => Promise<void>): Promise<void> {
  const { cert, key } = tlsOf(parsePem(text, NOW));
  await using server = Deno.serve(
    { hostname: "0.0.0.0", port: 0, cert, key, onListen: () => {} },
    () => new Response("served"),
  );
  await story(server.addr.port);
}

const FORMS: Record<string, readonly string[]> = {
  "of the last Databox: certificate, PKCS#1 key, public key": [
    "server.pem",
    "server.pkcs1.key",
    "server.pub",
  ],
  "of earlier Databoxes: private key, public key, certificate": [
    "server.pkcs1.key",
    "server.pub",
    "server.pem",
  ],
  "with a PKCS#1 key and nothing more": ["server.pem", "server.pkcs1.key"],
  "with a PKCS#8 key": ["server.pem", "server.pkcs8.key"],
  "with a PKCS#8 key first, and a public key": ["server.pkcs8.key", "server.pub", "server.pem"],
  "with a SEC1 key": ["ec.pem", "ec.sec1.key"],
  "with a SEC1 key first": ["ec.sec1.key", "ec.pem"],
  "with a PKCS#8 key on a curve": ["ec.pem", "ec.pkcs8.key"],
  "with a chain": ["below.pem", "between.pem", "server.pkcs1.key"],
  "with a chain around its key": ["below.pem", "server.pkcs8.key", "between.pem"],
};

for (const [form, names] of Object.entries(FORMS)) {
  Deno.test(`a file ${form} is served to clients that verify`, async () => {
    const text = await fileOf(...names);
    for (const file of [text, text.replaceAll("\n", "\r\n")]) {
      assertEquals(tlsOf(parsePem(file, NOW)).warnings, []);
      await serving(file, async (port) => {
        for (const hostname of [SERVICE_NAME, "127.0.0.1"]) {
          assert((await exchange(port, REQUEST, { hostname })).endsWith("served"));
        }
        await assertRejects(
          () => exchange(port, REQUEST, { hostname: "arbiter" }),
          Error,
          "not valid for name",
        );
      });
    }
  });
}

for (const kind of ["p384", "p521", "ed25519"]) {
  Deno.test(`a key of the kind ${kind} is taken, and the runtime serves it`, async () => {
    await serving(await fileOf(`${kind}.pem`, `${kind}.key`), async (port) => {
      const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
      await once(socket, "secureConnect");
      assertEquals(socket.getPeerCertificate().subject.CN, SERVICE_NAME);
      socket.destroy();
      await once(socket, "close");
    });
  });
}

Deno.test("clients that know nothing newer than TLS 1.2 are served, with RSA", async () => {
  const ca = await readTlsFixture("ca.pem");
  await serving(await fileOf("server.pem", "server.pkcs1.key"), async (port) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      servername: SERVICE_NAME,
      ca,
      maxVersion: "TLSv1.2",
    });
    await once(socket, "secureConnect");
    assertEquals([socket.getProtocol(), socket.authorized], ["TLSv1.2", true]);
    socket.destroy();
    await once(socket, "close");
  });
});

Deno.test("a chain keeps its order, and the key does not get into it", async () => {
  const text = await fileOf("below.pem", "server.pkcs8.key", "between.pem");
  const { cert, key } = tlsOf(parsePem(text, NOW));
  assertEquals(cert, await fileOf("below.pem", "between.pem"));
  assertEquals(key, await fileOf("server.pkcs8.key"));
});

Deno.test("what stands around the blocks does not matter", async () => {
  const [cert, key] = [await fileOf("server.pem"), await fileOf("server.pkcs1.key")];
  const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----";
  const text = `\uFEFFsubject=CN - x\n${parameters}\n${key.trim()}\nissuer=-\n\n  ${cert.trim()}`;
  assertEquals(parsePem(text, NOW), { kind: "tls", cert, key, warnings: [] });
});

const SUBJECT = "C=UK, O=University of Nottingham, CN=export-service";
const EXPIRY = Date.parse("2125-01-01T00:00:00Z");
const DAY_MS = 86_400_000;

const DATES: readonly (readonly [when: string, now: number, warnings: readonly string[]])[] = [
  ["is not valid yet", 0, [`the certificate of ${SUBJECT} is not valid before 2020-01-01`]],
  ["is valid from now", Date.parse("2020-01-01T00:00:00Z"), []],
  ["has 30 days and more", EXPIRY - 30 * DAY_MS - 1, []],
  ["has 30 days", EXPIRY - 30 * DAY_MS, [
    `the certificate of ${SUBJECT} expires on 2125-01-01`,
  ]],
  ["has expired", EXPIRY + 1, [`the certificate of ${SUBJECT} expired on 2125-01-01`]],
];

for (const [when, now, warnings] of DATES) {
  Deno.test(`a certificate that ${when} is taken, with ${warnings.length || "no"} warning`, async () => {
    const text = await fileOf("server.pem", "server.pkcs1.key");
    assertEquals(tlsOf(parsePem(text, now)).warnings, warnings);
  });
}

Deno.test("an expired certificate is served all the same; clients tell", async () => {
  const text = await fileOf("expired.pem", "server.pkcs1.key");
  assertEquals(tlsOf(parsePem(text, NOW)).warnings, [
    `the certificate of ${SUBJECT} expired on 2020-02-01`,
  ]);
  await serving(text, async (port) => {
    await assertRejects(() => exchange(port, REQUEST), Error, "expired");
  });
});

Deno.test("of a chain every certificate is watched", async () => {
  const text = await fileOf("below.pem", "between.pem", "server.pkcs1.key");
  assertEquals(tlsOf(parsePem(text, EXPIRY - DAY_MS)).warnings, [
    `the certificate of ${SUBJECT} expires on 2125-01-01`,
    "the certificate of CN=Databox export test between expires on 2125-01-01",
  ]);
});

const BROKEN: readonly (readonly [names: readonly string[], reason: string])[] = [
  [[], "it has no certificate"],
  [["server.pkcs1.key"], "it has no certificate"],
  [["server.pem", "server.pub"], "it has no private key"],
  [["server.pem", "encrypted.key"], "its private key is encrypted, and there is no passphrase"],
  [["server.pem", "other.key"], "its private key is not the one of its first certificate"],
  [["server.pem", "ec.pkcs8.key"], "its private key is not the one of its first certificate"],
  [
    ["between.pem", "below.pem", "server.pkcs1.key"],
    "its private key is not the one of its first certificate",
  ],
  [["version1.pem", "server.pkcs1.key"], "a certificate in it is not of X.509 version 3"],
  [["weak.pem", "weak.key"], "its RSA key has 1024 bits; 2048 at least are required"],
  [
    ["koblitz.pem", "koblitz.key"],
    "its key is on the curve secp256k1: RSA, Ed25519 and the curves P-256, P-384 and P-521 are supported",
  ],
];

for (const [names, reason] of BROKEN) {
  Deno.test(`a file of ${names.join(", ") || "nothing"} is broken: ${reason}`, async () => {
    assertEquals(parsePem(await fileOf(...names), NOW), { kind: "broken", reason });
  });
}

const UNSERVED: readonly (readonly [cert: string, key: string])[] = [
  ["version1.pem", "server.pkcs1.key"],
  ["weak.pem", "weak.key"],
  ["koblitz.pem", "koblitz.key"],
];

for (const [certName, keyName] of UNSERVED) {
  Deno.test(`the runtime would not have served ${certName} either`, async () => {
    const [cert, key] = [await readTlsFixture(certName), await readTlsFixture(keyName)];
    assertThrows(() => Deno.serve({ port: 0, cert, key }, () => new Response()), Error);
  });
}

Deno.test("a file cut off anywhere is broken, and no reason tells the key", async () => {
  for (const order of [["server.pem", "server.pkcs1.key"], ["server.pkcs8.key", "server.pem"]]) {
    const text = await fileOf(...order);
    const secrets = text.split("\n").filter((line) => /^[A-Za-z0-9+/=]{12,}$/.test(line));
    for (let length = 0; length < text.length - 1; length += 7) {
      const reason = reasonOf(parsePem(text.slice(0, length), NOW));
      assert(!secrets.some((secret) => reason.includes(secret.slice(0, 12))));
    }
  }
});

Deno.test("a block of rubbish is broken, whichever it is", async () => {
  const rubbish = Buffer.from("rubbish".repeat(100)).toString("base64");
  const block = (label: string) => `-----BEGIN ${label}-----\n${rubbish}\n-----END ${label}-----\n`;
  const cert = await readTlsFixture("server.pem");
  const key = await readTlsFixture("server.pkcs1.key");
  const unreadable = "a certificate in it cannot be read";
  assertEquals(reasonOf(parsePem(block("CERTIFICATE") + key, NOW)), unreadable);
  assertEquals(reasonOf(parsePem(cert + block("CERTIFICATE") + key, NOW)), unreadable);
  for (const label of ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"]) {
    const reason = reasonOf(parsePem(cert + block(label), NOW));
    assertEquals(reason, "its private key cannot be read");
  }
});

Deno.test("the file is read from the folder of secrets", () =>
  withFolder(async (folder) => {
    const text = await fileOf("server.pem", "server.pkcs1.key");
    await Deno.writeTextFile(join(folder, "DATABOX.pem"), text);
    assertEquals(tlsPath(folder), join(folder, "DATABOX.pem"));
    assertEquals(await readTls(folder, NOW), parsePem(text, NOW));
  }));

Deno.test("no file and no folder are none; a file that cannot be read is broken", () =>
  withFolder(async (folder) => {
    assertEquals(await readTls(folder, NOW), { kind: "none" });
    assertEquals(await readTls(join(folder, "nowhere"), NOW), { kind: "none" });
    // What a container engine makes of a mount whose source is not there.
    await Deno.mkdir(join(folder, "DATABOX.pem"));
    const tls = await readTls(folder, NOW);
    assertMatch(tls.kind === "broken" ? tls.reason : "", /^Cannot read ".*", which is a folder/);
  }));

/** What the service's start makes of the folder of secrets. */
async function obtained(folder: string, now: number) {
  const told: string[] = [];
  const tls = await obtainTls(folder, now, ({ event, detail }) => told.push(`${event} ${detail}`));
  return { tls, told };
}

Deno.test("without the file the service listens in the clear, and warns which file is missing", () =>
  withFolder(async (folder) => {
    const { tls, told } = await obtained(folder, NOW);
    assertEquals([tls, told.length], [undefined, 1]);
    assertMatch(told[0] ?? "", /^service\.warning .*DATABOX\.pem.*plain HTTP/);
  }));

Deno.test("a certificate that expires is a line of the log at start, not a reason to stop", () =>
  withFolder(async (folder) => {
    const text = await fileOf("server.pem", "server.pkcs1.key");
    await Deno.writeTextFile(join(folder, "DATABOX.pem"), text);
    assertEquals((await obtained(folder, NOW)).told, []);
    const { tls, told } = await obtained(folder, Date.parse("2999-01-01T00:00:00Z"));
    assertEquals(Object.keys(tls ?? {}), ["cert", "key"]);
    assertMatch(told.join(), /^service\.warning .* expired on /);
  }));

Deno.test("that a certificate expires is said again each day, until the service stops", async () => {
  const { cert, key } = tlsOf(parsePem(await fileOf("server.pem", "server.pkcs1.key"), NOW));
  const clock = new FakeClock(EXPIRY - 32 * DAY_MS);
  const told: string[] = [];
  const dates = watchDates({ cert, key }, clock, ({ event, detail }) => {
    told.push(`${event} ${detail}`);
  });
  clock.advance(DAY_MS);
  assertEquals(told, []);
  for (let day = 1; day <= 3; day++) {
    clock.advance(DAY_MS);
    assertEquals(told.length, day);
    assertEquals(
      told.at(-1),
      `service.warning the certificate of ${SUBJECT} expires on 2125-01-01`,
    );
  }
  dates.stop();
  assertEquals(clock.pending, 0);
});

Deno.test("a broken file is a wrong start, and the fault names it", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "DATABOX.pem"), await fileOf("server.pem"));
    const error = await assertRejects(() => obtained(folder, NOW), UsageError);
    assertMatch(error.message, /DATABOX\.pem": it has no private key$/);
  }));
