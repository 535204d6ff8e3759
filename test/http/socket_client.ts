/** Clients of `/ws/export`: a proper one, and one that speaks TCP and may break every rule. */
import { assertEquals } from "@std/assert";
import { joined } from "../fakes/arbitrary_requests.ts";
import { defined } from "../fakes/expect.ts";
import { DESTINATION, type TestService } from "../fakes/test_service.ts";

export const NEW = { id: "", uri: DESTINATION, data: "{}" };

/** The service on a port of its own. */
export class SocketServer implements AsyncDisposable {
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(readonly service: TestService) {
    const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    this.#server = Deno.serve(options, service.app.fetch);
  }

  get port(): number {
    return this.#server.addr.port;
  }

  token(more: Parameters<TestService["token"]>[0] = {}): string {
    return this.service.token({ path: "/ws/export", method: "GET", ...more });
  }

  async client(token = this.token()): Promise<SocketClient> {
    const url = `ws://127.0.0.1:${this.port}/ws/export`;
    const client = new SocketClient(new WebSocket(url, { headers: { "x-api-key": token } }));
    await client.opened;
    return client;
  }

  async rawClient(token = this.token()): Promise<RawClient> {
    const client = new RawClient(await Deno.connect({ hostname: "127.0.0.1", port: this.port }));
    await client.upgrade(token);
    return client;
  }

  /** What the service answers to a request that is no upgrade, or one that is refused. */
  async ask(headers: Record<string, string>, path = "/ws/export"): Promise<Response> {
    return await this.service.app.request(path, { headers: { ...UPGRADE, ...headers } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

export const UPGRADE = {
  connection: "keep-alive, Upgrade",
  upgrade: "WebSocket",
  "sec-websocket-version": "13",
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
};

/** A frame from the service: a receipt or a problem. */
export interface Frame {
  readonly id?: string;
  readonly state?: string;
  readonly ext_response?: unknown;
  readonly type?: string;
  readonly title?: string;
  readonly status?: number;
  readonly detail?: string;
  readonly instance?: string;
}

export class SocketClient {
  readonly opened: Promise<void>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #socket: WebSocket;
  readonly #frames: string[] = [];
  #onFrame = () => {};
  #gone = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.opened = new Promise((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) => reject(new Error(`Cannot open: ${JSON.stringify(event)}`));
    });
    this.closed = new Promise((resolve) => {
      socket.onclose = ({ code, reason }) => {
        this.#gone = true;
        this.#onFrame();
        resolve({ code, reason });
      };
    });
    socket.onmessage = ({ data }) => {
      this.#frames.push(data);
      this.#onFrame();
    };
  }

  send(frame: unknown): void {
    const raw = typeof frame === "string" || frame instanceof Uint8Array;
    // The type of `send` asks for bytes that are certainly not shared.
    this.#socket.send(raw ? frame as string : JSON.stringify(frame));
  }

  /** The next frame as text; throws if the socket closes without it. */
  async text(): Promise<string> {
    while (this.#frames.length === 0 && !this.#gone) {
      await new Promise<void>((resolve) => this.#onFrame = resolve);
    }
    return defined(this.#frames.shift());
  }

  async next(): Promise<Frame> {
    return JSON.parse(await this.text());
  }

  /** The next `count` frames. */
  async take(count: number): Promise<Frame[]> {
    const frames = [];
    for (let n = 0; n < count; n++) frames.push(await this.next());
    return frames;
  }

  /** The frames that came and were not taken. */
  rest(): Frame[] {
    return this.#frames.splice(0).map((text) => JSON.parse(text));
  }

  /** Reads until an export is finished. Whoever is quick may not see every state on the way. */
  async finish(): Promise<Frame> {
    for (;;) {
      const frame = await this.next();
      if (frame.state !== "Pending" && frame.state !== "Processing") return frame;
    }
  }

  /** Sends a frame; answers the one that comes next. */
  async ask(frame: unknown): Promise<Frame> {
    this.send(frame);
    return await this.next();
  }

  /** Closes; nothing that was not asked for may have come. */
  async close(): Promise<void> {
    this.#socket.close(1000);
    await this.closed;
    assertEquals(this.#frames, []);
  }
}

/** A client on bare TCP. */
export class RawClient implements Disposable {
  readonly #connection: Deno.TcpConn;
  #received: Uint8Array = new Uint8Array();

  constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  async upgrade(token: string): Promise<void> {
    const headers = Object.entries({ host: "localhost", "x-api-key": token, ...UPGRADE });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await this.write(new TextEncoder().encode(`GET /ws/export HTTP/1.1\r\n${lines}\r\n`));
    let head = "";
    while (!head.endsWith("\r\n\r\n")) head += String.fromCharCode(...await this.read(1));
    assertEquals(head.slice(0, 12), "HTTP/1.1 101");
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let n = 0; n < bytes.length;) n += await this.#connection.write(bytes.subarray(n));
  }

  /** Sends a frame, masked with zeros. */
  async send(opcode: number, payload: Uint8Array | unknown): Promise<void> {
    const bytes = payload instanceof Uint8Array
      ? payload
      : new TextEncoder().encode(JSON.stringify(payload));
    const length = bytes.length < 126
      ? [0x80 | bytes.length]
      : [0x80 | 126, bytes.length >> 8, bytes.length & 0xff];
    await this.write(new Uint8Array([0x80 | opcode, ...length, 0, 0, 0, 0, ...bytes]));
  }

  /** The next frame, whatever its kind; throws at the end of the connection. */
  async frame(): Promise<Omit<ServerFrame, "rest">> {
    let frame;
    while ((frame = parseFrame(this.#received)) === undefined) await this.#receive();
    const { opcode, payload, rest } = frame;
    this.#received = rest;
    return { opcode, payload };
  }

  async next(): Promise<Frame> {
    const { opcode, payload } = await this.frame();
    assertEquals(opcode, TEXT);
    return JSON.parse(new TextDecoder().decode(payload));
  }

  async read(count: number): Promise<Uint8Array> {
    while (this.#received.length < count) await this.#receive();
    const bytes = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return bytes;
  }

  async #receive(): Promise<void> {
    const chunk = new Uint8Array(65_536);
    const count = defined(await this.#connection.read(chunk));
    this.#received = joined(this.#received, chunk.subarray(0, count));
  }

  /** Vanishes without a word. With unread bytes, the system resets the connection. */
  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

/** A frame as the service sends them: whole and unmasked (RFC 6455, 5.2). */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
  /** What came behind it. */
  readonly rest: Uint8Array;
}

/** The first frame of `bytes`, or nothing if it has not come in full. */
export function parseFrame(bytes: Uint8Array): ServerFrame | undefined {
  const [first = 0, second = 0] = bytes;
  const start = second < 126 ? 2 : second === 126 ? 4 : 10;
  const length = start === 2 ? second : bytes.subarray(2, start).reduce((n, b) => n * 256 + b, 0);
  if (bytes.length < start + length) return undefined;
  const rest = bytes.subarray(start + length);
  return { opcode: first & 0x0f, payload: bytes.subarray(start, start + length), rest };
}

export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** Long enough for any machine: what has not come by then has no name on CI otherwise. */
const PATIENCE_MS = 120_000;

/** Resolves when `condition` holds; lets everything run that can. */
export async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Cannot wait any longer until ${condition}`);
    await new Promise((resolve) => setTimeout(resolve));
  }
}
