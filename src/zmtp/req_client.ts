/**
 * A REQ socket for one request: greeting, CURVE handshake, request, reply, end. Everything received
 * is checked and limited; every violation is a {@link ZmtpError}. Never connects, never retries,
 * never reads a clock: the connection and the signal that ends it are arguments.
 */
import { asciiBytes, asciiText, concatBytes, startsWith } from "./bytes.ts";
import {
  createKeyPair,
  type CurveKeys,
  encodeHello,
  encodeInitiate,
  type KeyPair,
  type Message,
  MESSAGE_OVERHEAD_BYTES,
  openMessage,
  type RandomBytes,
  readReady,
  readWelcome,
  sealMessage,
  type Session,
  VOUCH_NONCE_BYTES,
} from "./curve.ts";
import { ByteReader, closeQuietly, type Duplex, writeAll } from "./duplex.ts";
import { encodeFrame, readFrame } from "./frames.ts";
import { clientGreeting, readGreeting } from "./greeting.ts";
import { encodeProperty, readMetadata } from "./metadata.ts";
import { ZmtpError } from "./zmtp_error.ts";
import {
  HANDSHAKE_BYTES_MAX,
  PING_CONTEXT_BYTES_MAX,
  REPLY_BYTES_MAX,
  REQUEST_BYTES_MAX,
} from "./zmtp_limits.ts";

export interface RequestOptions {
  /** The server's permanent public key, 32 bytes. */
  readonly serverKey: Uint8Array;
  /** The client's identity; a server without an allow-list accepts any. */
  readonly keyPair: KeyPair;
  readonly randomBytes: RandomBytes;
  /** Ends the request when it aborts; if it never does, a silent server is awaited for ever. */
  readonly signal: AbortSignal;
}

/**
 * Sends `body` and resolves to the one frame of the reply. The connection is closed in any case.
 *
 * @throws {ZmtpError}
 */
export async function requestOnce(
  conn: Duplex,
  options: RequestOptions,
  body: Uint8Array,
): Promise<Uint8Array> {
  const { signal } = options;
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(new ZmtpError("aborted", "The request was given up"));
  signal.addEventListener("abort", abort);
  try {
    // However the connection behaves when closed during a read, the caller is released at once.
    return await Promise.race([aborted.promise, exchange(conn, options, body)]);
  } finally {
    signal.removeEventListener("abort", abort);
    closeQuietly(conn);
  }
}

async function exchange(
  conn: Duplex,
  options: RequestOptions,
  body: Uint8Array,
): Promise<Uint8Array> {
  if (body.length > REQUEST_BYTES_MAX) {
    throw new ZmtpError("request_too_large", `The request has ${body.length} bytes`);
  }
  if (options.signal.aborted) throw new ZmtpError("aborted", "The request was given up");
  const reader = new ByteReader(conn);
  const channel = new Channel(conn, reader, await shakeHands(conn, reader, options));
  // A REQ marks the end of its envelope with an empty frame, and gets it back.
  await channel.send(
    { more: true, command: false, body: new Uint8Array() },
    { more: false, command: false, body },
  );
  const delimiter = await channel.receive();
  if (!delimiter.more || delimiter.body.length > 0) throw replyMalformed();
  const reply = await channel.receive();
  if (reply.more) throw replyMalformed();
  return reply.body;
}

/** Authenticates each side to the other. */
async function shakeHands(
  conn: Duplex,
  reader: ByteReader,
  { serverKey, keyPair, randomBytes }: RequestOptions,
): Promise<Session> {
  const transient = createKeyPair(randomBytes);
  const keys: CurveKeys = { serverKey, permanent: keyPair, transient };
  const hello = encodeHello(keys);
  await writeAll(conn, clientGreeting());
  await readGreeting(reader);
  await sendCommand(conn, hello);
  const welcome = readWelcome(keys, await receiveWelcome(reader));
  const vouchNonce = randomBytes(VOUCH_NONCE_BYTES);
  await sendCommand(conn, encodeInitiate(keys, welcome, { vouchNonce, metadata: METADATA }));
  const { session, metadata } = readReady(welcome, await receiveCommand(reader));
  checkSocketType(metadata);
  return session;
}

const SOCKET_TYPE = "Socket-Type";

/** What libzmq sends for a REQ socket without an identity. */
const METADATA = concatBytes(
  encodeProperty(SOCKET_TYPE, asciiBytes("REQ")),
  encodeProperty("Identity", new Uint8Array()),
);

function checkSocketType(metadata: Uint8Array): void {
  for (const { name, value } of readMetadata(metadata)) {
    if (name !== SOCKET_TYPE.toLowerCase()) continue;
    if (!["REP", "ROUTER"].includes(asciiText(value))) {
      throw new ZmtpError("socket_type_wrong", "The peer is a socket that answers no REQ");
    }
  }
}

async function sendCommand(conn: Duplex, body: Uint8Array): Promise<void> {
  await writeAll(conn, encodeFrame({ command: true, more: false, body }));
}

async function receiveCommand(reader: ByteReader): Promise<Uint8Array> {
  const { command, body } = await readFrame(reader, HANDSHAKE_BYTES_MAX);
  if (!command) throw new ZmtpError("command_unexpected", "A message came during the handshake");
  return body;
}

async function receiveWelcome(reader: ByteReader): Promise<Uint8Array> {
  try {
    return await receiveCommand(reader);
  } catch (cause) {
    if (!(cause instanceof ZmtpError) || cause.code !== "connection_lost") throw cause;
    throw new ZmtpError("hello_unanswered", "The connection ended after our HELLO", { cause });
  }
}

const PING = asciiBytes("\x04PING");
const PONG = asciiBytes("\x04PONG");
/** The name, and how long the peer will wait, which does not matter for one request. */
const PING_HEAD_BYTES = PING.length + 2;

/** The connection once both sides are authenticated. */
class Channel {
  readonly #conn: Duplex;
  readonly #reader: ByteReader;
  #session: Session;

  constructor(conn: Duplex, reader: ByteReader, session: Session) {
    this.#conn = conn;
    this.#reader = reader;
    this.#session = session;
  }

  /** Sends messages in one write, so that no peer sees half of them. */
  async send(...messages: readonly Message[]): Promise<void> {
    const frames = messages.map((message) => {
      const { session, sealed } = sealMessage(this.#session, message);
      this.#session = session;
      // libzmq sends and expects sealed messages as plain frames, whatever they hold.
      return encodeFrame({ command: false, more: false, body: sealed });
    });
    await writeAll(this.#conn, concatBytes(...frames));
  }

  /** The next frame of the reply. */
  async receive(): Promise<Message> {
    for (;;) {
      const frame = await readFrame(this.#reader, REPLY_BYTES_MAX + MESSAGE_OVERHEAD_BYTES);
      if (frame.more) throw new ZmtpError("frame_invalid", "A sealed message comes in pieces");
      const { session, message } = openMessage(this.#session, frame.body);
      this.#session = session;
      if (!message.command) return message;
      await this.#answerPing(message);
    }
  }

  /** libzmq sends PINGs if configured to, even to a peer that greets as version 3.0. */
  async #answerPing({ more, body }: Message): Promise<void> {
    const context = body.subarray(PING_HEAD_BYTES);
    if (more || !startsWith(body, PING) || body.length < PING_HEAD_BYTES) {
      throw new ZmtpError("command_unexpected", "The server sends a command that is not a PING");
    }
    if (context.length > PING_CONTEXT_BYTES_MAX) {
      throw new ZmtpError("command_malformed", "A PING of the server is too long");
    }
    await this.send({ more: false, command: true, body: concatBytes(PONG, context) });
  }
}

function replyMalformed(): ZmtpError {
  return new ZmtpError("reply_malformed", "The reply is not an empty frame and one more");
}
