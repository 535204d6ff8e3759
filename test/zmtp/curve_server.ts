/**
 * The server's half of ZMTP 3.0 and CURVE for a REP socket, written from the RFCs 23, 25 and 26 and
 * from nothing of `src/zmtp/`, so that it notices what a client does wrong. Strict to the byte.
 */
import { Buffer } from "node:buffer";
import nacl from "tweetnacl";

/** What this side sends, in this order. */
export type Step = "greeting" | "welcome" | "ready" | "reply";

export interface CurveServerOptions {
  /** s, the permanent one. */
  readonly secretKey: Uint8Array;
  readonly socketType?: string;
  /** Of READY; those of the replies begin with 2 all the same. */
  readonly readyNonce?: bigint;
  /** Changes the bytes of a step on their way; an empty array says nothing at all. */
  readonly alter?: (step: Step, bytes: Buffer) => Uint8Array;
  /** What is sent, sealed, before each reply; flags first. */
  readonly before?: readonly Uint8Array[];
  /** Hears the context of every PONG. */
  readonly onPong?: (context: Buffer) => void;
  /** Frames of a reply to `body`, flags first; by default the delimiter and the answer. */
  readonly frames?: (answer: Uint8Array) => readonly Uint8Array[];
}

interface Conn {
  read(buffer: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

type Answer = (body: Uint8Array) => Uint8Array | undefined | Promise<Uint8Array | undefined>;

/** The client broke a rule, in the words of the rule. */
export class ClientFault extends Error {
  override readonly name = "ClientFault";
}

/** Serves one connection until it ends; `undefined` for an answer is silence. */
export async function serveCurve(
  conn: Conn,
  options: CurveServerOptions,
  answer: Answer,
): Promise<void> {
  const wire = new Wire(conn);
  const send = async (step: Step, bytes: Buffer) =>
    await wire.write(options.alter?.(step, bytes) ?? bytes);
  await send("greeting", greeting());
  checkGreeting(await wire.read(64));
  const { key, nonce } = await shakeHands(wire, options, send);
  let heard = nonce;
  let said = 1n;
  for (;;) {
    const message: Buffer[] = [];
    for (let more = true; more;) {
      const frame = await wire.frame();
      if (frame === undefined) return;
      rule(frame.flags === 0 || frame.flags === 2, "a sealed message is a plain frame");
      const opened = open(frame.body, heard, key);
      heard = opened.nonce;
      more = (opened.flags & 1) === 1;
      if ((opened.flags & 2) === 0) message.push(opened.body);
      else options.onPong?.(pongContext(opened.body));
    }
    if (message.length === 0) continue;
    const [delimiter, body, ...rest] = message;
    rule(delimiter?.length === 0 && body !== undefined, "a REQ begins with an empty delimiter");
    rule(rest.length === 0, "one frame follows the delimiter");
    const reply = await answer(body ?? Buffer.alloc(0));
    if (reply === undefined) continue;
    const frames = options.frames?.(reply) ?? [Uint8Array.of(1), Uint8Array.of(0, ...reply)];
    const sealed = [...options.before ?? [], ...frames].map((content) => {
      const box = seal(content, "CurveZMQMESSAGES", ++said, key);
      return frameOf(0, Buffer.concat([Buffer.from("\x07MESSAGE"), uint64(said), box]));
    });
    await send("reply", Buffer.concat(sealed));
  }
}

function greeting(): Buffer {
  const bytes = Buffer.alloc(64);
  bytes.set([0xff], 0);
  bytes.set([0x7f, 3, 0], 9);
  bytes.write("CURVE", 12, "latin1");
  bytes.set([1], 32); // as-server
  return bytes;
}

function checkGreeting(bytes: Buffer): void {
  rule(bytes[0] === 0xff && bytes[9] === 0x7f, "the signature is FF … 7F");
  rule((bytes[10] ?? 0) >= 3, "the version is 3 or above");
  const mechanism = Buffer.alloc(20);
  mechanism.write("CURVE", "latin1");
  rule(bytes.subarray(12, 32).equals(mechanism), "the mechanism is CURVE, padded with zeros");
  rule(bytes[32] === 0, "a client is no server");
  rule(bytes.subarray(33).every((byte) => byte === 0), "the filler is zeros");
}

async function shakeHands(
  wire: Wire,
  { secretKey, socketType = "REP", readyNonce = 1n }: CurveServerOptions,
  send: (step: Step, bytes: Buffer) => Promise<void>,
): Promise<{ key: Uint8Array; nonce: bigint }> {
  const permanent = nacl.box.keyPair.fromSecretKey(secretKey);
  const hello = await wire.command("HELLO");
  rule(hello.length === 200, "HELLO has 200 bytes");
  rule(hello.readUInt16BE(6) === 0x0100, "the version of CurveZMQ is 1.0");
  rule(hello.subarray(8, 80).every((byte) => byte === 0), "the padding of HELLO is zeros");
  const client = hello.subarray(80, 112); // C'
  const helloNonce = hello.readBigUInt64BE(112);
  const nonce = nonceOf("CurveZMQHELLO---", uint64(helloNonce));
  const signature = nacl.box.open(hello.subarray(120), nonce, client, secretKey);
  if (signature === null) throw new ClientFault("HELLO is not for this server");
  rule(signature.length === 64 && signature.every((byte) => byte === 0), "HELLO boxes 64 zeros");

  const transient = nacl.box.keyPair(); // S'
  const cookieKey = nacl.randomBytes(32);
  const cookieNonce = nacl.randomBytes(16);
  const cookie = Buffer.concat([
    cookieNonce,
    nacl.secretbox(
      Buffer.concat([client, transient.secretKey]),
      nonceOf("COOKIE--", cookieNonce),
      cookieKey,
    ),
  ]);
  const welcomeNonce = nacl.randomBytes(16);
  const welcomeBox = nacl.box(
    Buffer.concat([transient.publicKey, cookie]),
    nonceOf("WELCOME-", welcomeNonce),
    client,
    secretKey,
  );
  const welcome = Buffer.concat([Buffer.from("\x07WELCOME"), welcomeNonce, welcomeBox]);
  await send("welcome", frameOf(4, welcome));

  const initiate = await wire.command("INITIATE");
  rule(initiate.length >= 257, "INITIATE has 257 bytes or more");
  rule(initiate.subarray(9, 105).equals(cookie), "the cookie comes back as it was");
  const initiateNonce = initiate.readBigUInt64BE(105);
  rule(initiateNonce > helloNonce, "the nonces of a client grow");
  const key = nacl.box.before(client, transient.secretKey);
  const content = nacl.box.open.after(
    initiate.subarray(113),
    nonceOf("CurveZMQINITIATE", uint64(initiateNonce)),
    key,
  );
  if (content === null) throw new ClientFault("the box of INITIATE does not open");
  const identity = content.subarray(0, 32); // C
  rule(!Buffer.from(identity).equals(client), "the permanent key is not the transient one");
  const vouch = nacl.box.open(
    content.subarray(48, 128),
    nonceOf("VOUCH---", content.subarray(32, 48)),
    identity,
    transient.secretKey,
  );
  if (vouch === null) throw new ClientFault("the vouch does not open");
  rule(Buffer.concat([client, permanent.publicKey]).equals(vouch), "the vouch holds C' and S");
  const metadata = Buffer.from(content.subarray(128)).toString("latin1");
  const named = property("Socket-Type", "REQ").toString("latin1");
  rule(metadata.startsWith(named), "the client is a REQ socket");

  const told = Buffer.concat([property("Socket-Type", socketType), property("Identity", "")]);
  const readyBox = seal(told, "CurveZMQREADY---", readyNonce, key);
  const ready = Buffer.concat([Buffer.from("\x05READY"), uint64(readyNonce), readyBox]);
  await send("ready", frameOf(4, ready));
  return { key, nonce: initiateNonce };
}

function open(message: Buffer, last: bigint, key: Uint8Array) {
  rule(message.length >= 33, "MESSAGE has 33 bytes or more");
  rule(message.subarray(0, 8).equals(Buffer.from("\x07MESSAGE")), "the command is MESSAGE");
  const nonce = message.readBigUInt64BE(8);
  rule(nonce > last, "the nonces of a client grow");
  const full = nonceOf("CurveZMQMESSAGEC", uint64(nonce));
  const content = nacl.box.open.after(message.subarray(16), full, key);
  if (content === null) throw new ClientFault("the box of MESSAGE does not open");
  const [flags = 0] = content;
  rule(flags <= 3, "reserved flags are zero");
  return { nonce, flags, body: Buffer.from(content.subarray(1)) };
}

function pongContext(command: Buffer): Buffer {
  const name = Buffer.from("\x04PONG");
  rule(command.subarray(0, name.length).equals(name), "the answer to a PING is a PONG");
  return command.subarray(name.length);
}

function seal(content: Uint8Array, prefix: string, nonce: bigint, key: Uint8Array): Uint8Array {
  return nacl.box.after(content, nonceOf(prefix, uint64(nonce)), key);
}

function nonceOf(prefix: string, rest: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(prefix), rest]);
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

export function property(name: string, value: string): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(value.length);
  return Buffer.concat([Uint8Array.of(name.length), Buffer.from(name), size, Buffer.from(value)]);
}

export function frameOf(flags: number, body: Uint8Array): Buffer {
  return body.length < 256
    ? Buffer.concat([Uint8Array.of(flags, body.length), body])
    : Buffer.concat([Uint8Array.of(flags | 2), uint64(BigInt(body.length)), body]);
}

function rule(holds: boolean, words: string): void {
  if (!holds) throw new ClientFault(`Against the rule: ${words}`);
}

/** The bytes of a connection, read to measure. */
class Wire {
  readonly #conn: Conn;
  #held = Buffer.alloc(0);

  constructor(conn: Conn) {
    this.#conn = conn;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#conn.write(bytes.subarray(at));
  }

  /** The next `size` bytes; throws if the connection ends first. */
  async read(size: number): Promise<Buffer> {
    if (await this.#has(size)) {
      const taken = this.#held.subarray(0, size);
      this.#held = this.#held.subarray(size);
      return taken;
    }
    throw new Deno.errors.UnexpectedEof("The client has left");
  }

  /** The next frame, or `undefined` at the end of the connection. */
  async frame(): Promise<{ flags: number; body: Buffer } | undefined> {
    if (!await this.#has(1)) return undefined;
    const [flags = 0] = await this.read(1);
    rule(flags < 8, "reserved flags are zero");
    const long = (flags & 2) !== 0;
    const size = long
      ? Number((await this.read(8)).readBigUInt64BE())
      : (await this.read(1)).readUInt8();
    rule(!long || size > 255, "a small frame has a small size");
    return { flags, body: await this.read(size) };
  }

  async command(name: string): Promise<Buffer> {
    const frame = await this.frame();
    if (frame === undefined) throw new Deno.errors.UnexpectedEof("The client has left");
    rule((frame.flags & 5) === 4, "a handshake is made of commands");
    const start = Buffer.from(`${String.fromCharCode(name.length)}${name}`);
    rule(frame.body.subarray(0, start.length).equals(start), `the command is ${name}`);
    return frame.body;
  }

  async #has(size: number): Promise<boolean> {
    const chunk = new Uint8Array(4_096);
    while (this.#held.length < size) {
      const read = await this.#conn.read(chunk);
      if (read === null) return false;
      this.#held = Buffer.concat([this.#held, chunk.subarray(0, read)]);
    }
    return true;
  }
}
