/**
 * An arbiter as Databox 0.5 has one: hands each store its secret, mints tokens for apps that were
 * granted a route, over Zest, ZeroMQ and CURVE. Listens on a free port; leaves nothing behind.
 * Can also be told to misbehave.
 */
import { Buffer } from "node:buffer";
import { mintToken } from "../../src/authorise/mint.ts";
import { encodeZ85 } from "../zmtp/encode_z85.ts";
import nacl from "tweetnacl";
import { ClientFault, type CurveServerOptions, serveCurve } from "../zmtp/curve_server.ts";

/** What a route is granted for: `caveats` must be repeated by the app to the letter. */
export interface Grant {
  readonly target: string;
  readonly path: string;
  readonly method: string;
  readonly caveats: readonly Readonly<Record<string, string>>[];
}

export interface ZestRequest {
  readonly code: number;
  readonly token: string;
  readonly path: string;
  readonly host: string;
  readonly format: number;
  readonly payload: string;
}

export interface ZestArbiterOptions {
  /** A port that an arbiter had before; free by default. */
  readonly port?: number;
  readonly secretKey?: Uint8Array;
  /** In the place of an answer; `undefined` is silence. */
  readonly answer?: (request: ZestRequest) => Uint8Array | undefined;
  /** How the connection itself misbehaves. */
  readonly curve?: Omit<CurveServerOptions, "secretKey">;
}

const UNAUTHORIZED = 129;
const BAD_REQUEST = 128;

export class ZestArbiterServer implements AsyncDisposable {
  /** Z85, as it lies in `ZMQ_PUBLIC_KEY`. */
  readonly publicKey: string;
  readonly secretKey: Uint8Array;
  /** Every question that was understood. */
  readonly requests: ZestRequest[] = [];
  /** What clients did wrong. */
  readonly faults: string[] = [];
  /** The secret last handed out, by name. */
  readonly secrets = new Map<string, string>();
  readonly #tokens = new Map<string, string>();
  readonly #grants = new Map<string, Grant[]>();
  readonly #options: ZestArbiterOptions;
  readonly #listener: Deno.TcpListener;
  readonly #open = new Set<Deno.Conn>();
  readonly #serving: Promise<void>;

  constructor(options: ZestArbiterOptions = {}) {
    const keys = options.secretKey === undefined
      ? nacl.box.keyPair()
      : nacl.box.keyPair.fromSecretKey(options.secretKey);
    this.#options = options;
    this.secretKey = keys.secretKey;
    this.publicKey = encodeZ85(keys.publicKey);
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: options.port ?? 0 });
    this.#serving = this.#serve();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  get endpoint(): URL {
    return new URL(`tcp://127.0.0.1:${this.port}`);
  }

  /** Makes a container known under its name. */
  register(name: string, token: string): void {
    this.#tokens.set(name, token);
    this.#grants.set(name, []);
  }

  grant(name: string, grant: Grant): void {
    this.#grants.get(name)?.push(grant);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const conn of this.#open) conn.close();
    await this.#serving;
  }

  async #serve(): Promise<void> {
    const connections: Promise<void>[] = [];
    for await (const conn of this.#listener) connections.push(this.#converse(conn));
    await Promise.all(connections);
  }

  async #converse(conn: Deno.Conn): Promise<void> {
    this.#open.add(conn);
    try {
      const options = { ...this.#options.curve, secretKey: this.secretKey };
      await serveCurve(conn, options, (body) => this.#answer(body));
    } catch (error) {
      // A client that leaves in the middle is none of the arbiter's business.
      if (error instanceof ClientFault) this.faults.push(error.message);
    } finally {
      if (this.#open.delete(conn)) {
        try {
          conn.close();
        } catch {
          // Closed by the end of the arbiter.
        }
      }
    }
  }

  #answer(body: Uint8Array): Uint8Array | undefined {
    const request = readZest(Buffer.from(body));
    this.requests.push(request);
    if (this.#options.answer !== undefined) return this.#options.answer(request);
    const { code, path, host, token } = request;
    if (this.#tokens.get(host) !== token) return ack(UNAUTHORIZED);
    if (code === 1 && path === "/store/secret") {
      const secret = crypto.randomUUID();
      this.secrets.set(host, secret);
      return content(secret);
    }
    return code === 2 && path === "/token" ? this.#mint(request) : ack(BAD_REQUEST);
  }

  /** As the arbiter does: the caveats may be those of any grant of the app, not of this route. */
  #mint({ host, payload }: ZestRequest): Uint8Array {
    const { target, path, method, caveats } = JSON.parse(payload);
    const grants = this.#grants.get(host) ?? [];
    const secret = this.secrets.get(target) ?? "";
    const routed = grants.some((grant) =>
      grant.target === target && grant.path === path && grant.method === method
    );
    const asked = JSON.stringify(caveats);
    const granted = grants.some((grant) => JSON.stringify(grant.caveats) === asked);
    if (secret === "" || !routed || !granted) return ack(UNAUTHORIZED);
    const named = [`path = ${path}`, `method = ${method}`, `target = ${target}`];
    const token = mintToken(secret, { caveats: [...named, ...optionalCaveat(caveats)] });
    // Unlike other libraries, the arbiter's pads its base64.
    return content(token.padEnd(Math.ceil(token.length / 4) * 4, "="));
  }
}

/** One object of one member of a known name becomes a caveat; anything else becomes none. */
function optionalCaveat(caveats: readonly Readonly<Record<string, string>>[]): string[] {
  const [first, ...others] = caveats.flatMap((caveat) => Object.entries(caveat));
  if (first === undefined || others.length > 0) return [];
  const [name, value] = first;
  return ["destination", "observe"].includes(name) ? [`${name} = ${value}`] : [];
}

/** An answer without content. */
export function ack(code: number): Uint8Array {
  return Uint8Array.of(code, 0, 0, 0);
}

/** A success with text in it. */
export function content(text: string): Uint8Array {
  return Buffer.concat([Buffer.from("45010000000c00020000", "hex"), Buffer.from(text)]);
}

function readZest(bytes: Buffer): ZestRequest {
  const tokenEnd = 4 + bytes.readUInt16BE(2);
  const options = new Map<number, Buffer>();
  let at = tokenEnd;
  for (let seen = 0; seen < bytes.readUInt8(1); seen++) {
    const end = at + 4 + bytes.readUInt16BE(at + 2);
    options.set(bytes.readUInt16BE(at), bytes.subarray(at + 4, end));
    at = end;
  }
  return {
    code: bytes.readUInt8(0),
    token: bytes.toString("utf8", 4, tokenEnd),
    path: options.get(11)?.toString() ?? "",
    host: options.get(3)?.toString() ?? "",
    format: options.get(12)?.readUInt16BE() ?? -1,
    payload: bytes.toString("utf8", at),
  };
}
