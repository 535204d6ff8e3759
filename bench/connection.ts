/**
 * An app's persistent connection, written by hand: it costs a fifth of the processor time of
 * `fetch`, so that the load disturbs little of what it measures. It sends JSON by POST and reads
 * answers of a known length, one after the other; it knows nothing else of HTTP.
 */
const LONGEST_ANSWER = 65_536;

export interface Answer {
  readonly status: number;
  readonly body: string;
}

export interface Connection {
  post(body: string): Promise<Answer>;
  close(): void;
}

/** @param caCerts certificates to verify a service behind https with */
export async function connect(
  url: URL,
  headers: Readonly<Record<string, string>>,
  caCerts: readonly string[],
): Promise<Connection> {
  const at = { hostname: url.hostname, port: Number(url.port) };
  const plain = await Deno.connect(at);
  plain.setNoDelay(true);
  const conn = url.protocol === "https:"
    ? await Deno.startTls(plain, { hostname: at.hostname, caCerts: [...caCerts] })
    : plain;
  const lines = Object.entries({ host: url.host, ...headers, "content-type": "application/json" });
  const head = `POST ${url.pathname}${url.search} HTTP/1.1\r\n` +
    lines.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  const buffer = new Uint8Array(LONGEST_ANSWER);
  const utf8 = new TextEncoder();
  return {
    async post(body) {
      const bytes = utf8.encode(
        `${head}content-length: ${utf8.encode(body).length}\r\n\r\n${body}`,
      );
      for (let sent = 0; sent < bytes.length;) sent += await conn.write(bytes.subarray(sent));
      for (let filled = 0;;) {
        const count = await conn.read(buffer.subarray(filled));
        if (count === null || count === 0) throw new Error("The answer ended early or is too long");
        filled += count;
        const answer = readAnswer(buffer.subarray(0, filled));
        if (answer !== undefined) return answer;
      }
    },
    close: () => conn.close(),
  };
}

/** The answer in these bytes, or `undefined` until it is complete. */
export function readAnswer(bytes: Uint8Array): Answer | undefined {
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [, status] = /^HTTP\/1\.1 (\d{3})/.exec(text) ?? [];
  const [, length] = /^content-length: (\d+)\r?$/im.exec(text.slice(0, end)) ?? [];
  if (status === undefined || length === undefined) {
    throw new Error(`Cannot read an answer without status and length: ${text.slice(0, end)}`);
  }
  const body = bytes.subarray(end + 4, end + 4 + Number(length));
  if (body.length < Number(length)) return undefined;
  return { status: Number(status), body: new TextDecoder().decode(body) };
}
