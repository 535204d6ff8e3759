/** Requests over TLS: whose certificates are believed, and what an unbelieved peer gets to see. */
import { assertEquals, assertInstanceOf, assertMatch, assertThrows } from "@std/assert";
import { once } from "node:events";
import { createServer, type PeerCertificate } from "node:tls";
import type { SendFailure } from "../../src/egress/failure.ts";
import type { RequestResult } from "../../src/egress/request.ts";
import { type Act, answering, hear, listen, say, silent } from "./destination.ts";
import { listenByTls, readFixture } from "./tls.ts";
import { createTrust } from "../../src/egress/trust.ts";
import { answered, send, SHORT_MS, type Variation } from "./sending.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

/** What a destination with this certificate answers, and what it gets to hear. */
async function reach(
  certificates: string | readonly string[],
  trusted = ["ca.pem"],
  host = "dest.localhost",
) {
  let heard = "";
  // Not `Deno.listenTls`, which does not serve certificates of version 1.
  const server = createServer({
    cert: (await Promise.all([certificates].flat().map(readFixture))).join(""),
    key: await readFixture("dest.key"),
  }, (socket) => {
    socket.on("data", (part) => heard += part);
    socket.on("error", () => {});
    socket.write(OK);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const extraCa = (await Promise.all(trusted.map(readFixture))).join("");
  const result = await send(`https://${host}:${port}/`, extraCa === "" ? {} : { extraCa });
  server.close();
  await once(server, "close");
  return { result, heard };
}

async function assertUnreachable(code: SendFailure, act: Act, variation: Variation): Promise<void> {
  await using destination = listen(act);
  const result = await send(`https://dest.localhost:${destination.port}/`, variation);
  assertEquals(result, { kind: "failed", code, address: "127.0.0.1", unsent: true });
}

Deno.test("a destination under the operator's own CA is believed, by name and by address", async () => {
  const { result, heard } = await reach("dest.pem");
  assertEquals(result, answered(200, "hi"));
  assertMatch(heard, /^POST \/ HTTP\/1\.1\r\n/);
  assertEquals((await reach("dest.pem", ["ca.pem"], "127.0.0.1")).result, answered(200, "hi"));
});

Deno.test("one of several added CAs is enough", async () => {
  assertEquals((await reach("dest.pem", ["expired.pem", "ca.pem"])).result, answered(200, "hi"));
});

const UNBELIEVED: Record<string, string> = {
  "expired.pem": "is out of date",
  "wrong-name.pem": "is for another name",
  "forged.pem": "names the CA above it without being signed by it",
  "below-leaf.pem": "is signed by one that the CA signed, but not as a CA,",
  "version1.pem": "is of a version that the runtime cannot check",
  "malformed.pem": "comes with one that cannot be read",
};

const NOT_BELIEVED = {
  result: { kind: "failed", code: "certificate_invalid", address: "127.0.0.1", unsent: true },
  heard: "",
};

for (const [certificate, fault] of Object.entries(UNBELIEVED)) {
  Deno.test(`a destination whose certificate ${fault} is not believed and hears nothing`, async () => {
    assertEquals(await reach(certificate), NOT_BELIEVED);
  });
}

Deno.test("a destination may send ten certificates; one that sends more is not believed", async () => {
  const chain = ["dest.pem", ...Array<string>(9).fill("ca.pem")];
  assertEquals((await reach(chain)).result, answered(200, "hi"));
  assertEquals(await reach([...chain, "ca.pem"]), NOT_BELIEVED);
});

Deno.test("a destination learns which name it is to prove; an address is no name (RFC 6066)", async () => {
  /** Whether the first thing said names the host. */
  const isNamed = async (host: string) => {
    let heard = "";
    await using destination = listen(async (conn) => {
      const buffer = new Uint8Array(4_096);
      heard = new TextDecoder("latin1").decode(buffer.subarray(0, await conn.read(buffer) ?? 0));
    });
    await send(`https://${host}:${destination.port}/`);
    return heard.includes(host);
  };
  assertEquals([await isNamed("dest.localhost"), await isNamed("127.0.0.1")], [true, false]);
});

Deno.test("a destination that would rather speak HTTP/2 is spoken to in HTTP/1.1", async () => {
  const spoken = Promise.withResolvers<string | null>();
  await using destination = await listenByTls(async (conn) => {
    spoken.resolve((await (conn as Deno.TlsConn).handshake()).alpnProtocol);
    await answering(OK)(conn);
  }, { alpnProtocols: ["h2", "http/1.1"] });
  const extraCa = await readFixture("ca.pem");
  const result = await send(`https://dest.localhost:${destination.port}/`, { extraCa });
  assertEquals([await spoken.promise, result], ["http/1.1", answered(200, "hi")]);
});

Deno.test("a certificate whose names cannot be told apart is in nobody's name", () => {
  const { checkServerIdentity } = createTrust().options;
  for (const subjectaltname of ['DNS:"dest.example', 'DNS:"dest.example\\u00"']) {
    const cert = { subject: { CN: "dest.example" }, subjectaltname } as PeerCertificate;
    assertInstanceOf(checkServerIdentity?.("dest.example", cert), Error, subjectaltname);
  }
});

Deno.test("CAs in which there is no certificate, or none that can be read, are a fault, not nothing", () => {
  assertThrows(() => createTrust("a key, perhaps"), TypeError, "no PEM certificate in it");
  const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  assertThrows(() => createTrust(broken));
});

Deno.test("a CA that the operator did not add is not believed", async () => {
  for (const trusted of [[], ["expired.pem"]]) {
    assertEquals(await reach("dest.pem", trusted), NOT_BELIEVED);
  }
});

Deno.test("a destination that speaks no TLS is a TLS error", async () => {
  await assertUnreachable("tls_error", (conn) => say(conn, "HTTP/1.1 400 No\r\n\r\n"), {});
});

Deno.test("a destination that hangs up in the handshake is lost", async () => {
  await assertUnreachable("connection_lost", () => Promise.resolve(), {});
});

Deno.test("a destination that never ends the handshake is given up at the connect limit", async () => {
  await assertUnreachable("timed_out", silent, { connectTimeoutMs: SHORT_MS });
});

Deno.test("a stopped attempt ends the handshake", async () => {
  const stop = new AbortController();
  const act: Act = async (conn) => {
    await conn.read(new Uint8Array(1));
    stop.abort();
    await silent(conn);
  };
  await assertUnreachable("stopped", act, { signal: stop.signal });
});

/** What comes of a request by TLS to a destination that acts so. */
async function outcomeByTls(act: Act, variation: Variation): Promise<RequestResult> {
  await using destination = await listenByTls(act);
  return await send(`https://dest.localhost:${destination.port}/`, {
    extraCa: await readFixture("ca.pem"),
    ...variation,
  });
}

for (const bytes of [10, 65_536, 262_144, 1_048_576]) {
  Deno.test(`an answer of ${bytes} bytes over TLS that ends with its connection is whole, one that ends early is none`, async () => {
    const text = "x".repeat(bytes);
    const ending = (head: string): Act => async (conn) => {
      await hear(conn);
      await say(conn, `HTTP/1.1 200 OK\r\n${head}\r\n${text}`);
      await (conn as Deno.TlsConn).closeWrite();
      await conn.read(new Uint8Array(1));
    };
    const variation = { answerBytesMax: bytes };
    const whole = await outcomeByTls(ending("connection: close\r\n"), variation);
    assertEquals(whole, answered(200, text));
    const early = await outcomeByTls(ending(`content-length: ${bytes + 1}\r\n`), variation);
    assertEquals(early, { kind: "failed", code: "connection_lost", address: "127.0.0.1" });
  });
}
