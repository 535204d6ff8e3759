/** Destinations that misbehave, by the words with which the README names them; real sockets. */
import { once } from "node:events";
import { createServer } from "node:tls";
import { type Act, answering, flooding, hear, listen, say, silent } from "../egress/destination.ts";

export interface Misbehaving extends AsyncDisposable {
  readonly uri: string;
  /** Resolves when the other side waits for it. */
  readonly reached: Promise<void>;
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const CHUNKED = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const HINT = "HTTP/1.1 103 Early Hints\r\n\r\n";

/** Everything that destinations do over plain HTTP. */
const ACTS: Readonly<Record<string, Act>> = {
  "resets the connection": () => Promise.resolve(),
  "accepts and says nothing": silent,
  "closes in the middle of its answer": answering(
    "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
  ),
  "drips its answer without end": dripping(CHUNKED, "1\r\nx\r\n"),
  "answers faster than we read, without end": flooding(
    "HTTP/1.1 200 OK\r\n\r\n",
    "x".repeat(10_000),
  ),
  "sends interim answers (1xx) without end": flooding("", HINT),
  "says 100 and 103 before its answer": answering(`HTTP/1.1 100 Continue\r\n\r\n${HINT}${OK}`),
  "switches protocols (101)": answering(
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
  ),
  "speaks something else than HTTP": answering("SSH-2.0-OpenSSH_9.6\r\n\r\n"),
  "sends more than 64 KiB of headers": answering(
    `HTTP/1.1 200 OK\r\n${`x: ${"y".repeat(1_000)}\r\n`.repeat(70)}\r\n`,
  ),
  "answers 204 with a body": answering("HTTP/1.1 204 No Content\r\n\r\nbut some"),
  "answers 302": answering("HTTP/1.1 302 Found\r\nlocation: /in\r\ncontent-length: 0\r\n\r\n"),
  "answers 429 with `Retry-After`": answering(
    "HTTP/1.1 429 Slow Down\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
  ),
  "closes a connection that it promised to keep": answering(
    "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok",
  ),
};

/** The same over TLS. */
const SECURE_ACTS: Readonly<Record<string, Act>> = {
  "speaks no TLS": (conn) => say(conn, "HTTP/1.1 400 No\r\n\r\n"),
  "never ends the TLS handshake": silent,
};

const CERTIFICATES: Readonly<Record<string, string>> = {
  "has a certificate that is out of date": "expired.pem",
  "has a certificate for another name": "wrong-name.pem",
};

/** Every name there is. */
export const NAMES: readonly string[] = [
  ...Object.keys({ ...ACTS, ...SECURE_ACTS, ...CERTIFICATES }),
  "refuses the connection",
  "resolves to a private address",
];

export async function misbehave(name: string): Promise<Misbehaving> {
  const act = ACTS[name] ?? SECURE_ACTS[name];
  if (act !== undefined) return acting(act, name in ACTS ? "http" : "https");
  const certificate = CERTIFICATES[name];
  if (certificate !== undefined) return await showing(certificate);
  if (name === "resolves to a private address") return nowhere("http://private.localhost/");
  const gone = acting(silent, "http");
  await gone[Symbol.asyncDispose]();
  return nowhere(gone.uri);
}

function acting(act: Act, scheme: string): Misbehaving {
  const reached = Promise.withResolvers<void>();
  const destination = listen(async (conn) => {
    // The first byte has come: whoever sends is waiting from now on.
    const heard = conn.read.bind(conn);
    conn.read = async (buffer) => {
      const size = await heard(buffer);
      reached.resolve();
      return size;
    };
    await act(conn);
  });
  return {
    uri: `${scheme}://dest.localhost:${destination.port}/in`,
    reached: reached.promise,
    [Symbol.asyncDispose]: () => destination[Symbol.asyncDispose](),
  };
}

async function showing(certificate: string): Promise<Misbehaving> {
  const read = (name: string) =>
    Deno.readTextFile(new URL(`../fixtures/tls/${name}`, import.meta.url));
  const options = { cert: await read(certificate), key: await read("dest.key") };
  const server = createServer(options, (socket) => {
    socket.on("error", () => {});
    socket.write(OK);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return {
    ...nowhere(`https://dest.localhost:${port}/in`),
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

function nowhere(uri: string): Misbehaving {
  return { uri, reached: Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() };
}

function dripping(head: string, drop: string): Act {
  return async (conn) => {
    await hear(conn);
    for (await say(conn, head);; await say(conn, drop)) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
}
