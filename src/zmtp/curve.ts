/**
 * CurveZMQ, the client's half (ZeroMQ RFC 26): what to send, and how to verify what arrives. Pure:
 * keys and nonces are arguments, a session is a value. Never puts a key in an error.
 *
 * In the notation of the RFC: S is the server's permanent key, C the client's; S' and C' are those
 * of this one connection.
 */
import nacl from "tweetnacl";
import { asciiBytes, asciiText, concatBytes, startsWith, uint64Bytes, viewOf } from "./bytes.ts";
import { ZmtpError } from "./zmtp_error.ts";

/** `size` random bytes of cryptographic quality. */
export type RandomBytes = (size: number) => Uint8Array;

export interface KeyPair {
  readonly publicKey: Uint8Array;
  readonly secretKey: Uint8Array;
}

export interface CurveKeys {
  /** S, public. */
  readonly serverKey: Uint8Array;
  /** C: the client's identity. */
  readonly permanent: KeyPair;
  /** C': must be new for each connection. */
  readonly transient: KeyPair;
}

/** What the server sent in its WELCOME. */
export interface Welcome {
  /** S', public. */
  readonly serverTransientKey: Uint8Array;
  readonly cookie: Uint8Array;
  /** Derived from C' and S'; encrypts everything from here on. */
  readonly sharedKey: Uint8Array;
}

/** An open connection. Each message takes a session and returns the next one. */
export interface Session {
  readonly sharedKey: Uint8Array;
  /** Nonces last used, in each direction. */
  readonly sentNonce: bigint;
  readonly receivedNonce: bigint;
}

export interface Message {
  readonly more: boolean;
  /** Not in RFC 26, but libzmq sets it on its own PINGs. */
  readonly command: boolean;
  readonly body: Uint8Array;
}

export const KEY_BYTES = 32;
/** Random part of the nonce of a vouch. */
export const VOUCH_NONCE_BYTES = 16;
/** How much longer a sealed message is than its body: name, nonce, authenticator, flags. */
export const MESSAGE_OVERHEAD_BYTES = 8 + 8 + 16 + 1;

const COOKIE_BYTES = 96;
const WELCOME_BYTES = 168;
const READY_BYTES_MIN = 30;
const HELLO_NONCE = 1n;
const INITIATE_NONCE = 2n;
const MORE = 0b01;
const COMMAND = 0b10;

export function createKeyPair(randomBytes: RandomBytes): KeyPair {
  return nacl.box.keyPair.fromSecretKey(randomBytes(KEY_BYTES));
}

/** The HELLO command. */
export function encodeHello({ serverKey, transient }: CurveKeys): Uint8Array {
  const box = nacl.box.after(
    new Uint8Array(64),
    shortNonce("CurveZMQHELLO---", HELLO_NONCE),
    sharedKeyOf(serverKey, transient),
  );
  return concatBytes(
    commandName("HELLO"),
    Uint8Array.of(1, 0), // The version of CurveZMQ.
    new Uint8Array(72), // Padding, so that a server never answers with more than it was sent.
    transient.publicKey,
    uint64Bytes(HELLO_NONCE),
    box,
  );
}

/**
 * @throws {ZmtpError}
 */
export function readWelcome(keys: CurveKeys, command: Uint8Array): Welcome {
  const fields = fieldsOf("WELCOME", command);
  if (command.length !== WELCOME_BYTES) throw malformed("WELCOME");
  const nonce = concatBytes(asciiBytes("WELCOME-"), fields.subarray(0, 16));
  const content = openBox(
    fields.subarray(16),
    nonce,
    sharedKeyOf(keys.serverKey, keys.transient),
  );
  const serverTransientKey = content.subarray(0, KEY_BYTES);
  return {
    serverTransientKey,
    cookie: content.subarray(KEY_BYTES, KEY_BYTES + COOKIE_BYTES),
    sharedKey: sharedKeyOf(serverTransientKey, keys.transient),
  };
}

/**
 * The INITIATE command.
 *
 * @param vouchNonce {@link VOUCH_NONCE_BYTES} random bytes
 */
export function encodeInitiate(
  { serverKey, permanent, transient }: CurveKeys,
  { serverTransientKey, cookie, sharedKey }: Welcome,
  { vouchNonce, metadata }: { readonly vouchNonce: Uint8Array; readonly metadata: Uint8Array },
): Uint8Array {
  const vouch = nacl.box.after(
    concatBytes(transient.publicKey, serverKey),
    concatBytes(asciiBytes("VOUCH---"), vouchNonce),
    sharedKeyOf(serverTransientKey, permanent),
  );
  const box = nacl.box.after(
    concatBytes(permanent.publicKey, vouchNonce, vouch, metadata),
    shortNonce("CurveZMQINITIATE", INITIATE_NONCE),
    sharedKey,
  );
  return concatBytes(commandName("INITIATE"), cookie, uint64Bytes(INITIATE_NONCE), box);
}

/**
 * @throws {ZmtpError}
 */
export function readReady(
  { sharedKey }: Welcome,
  command: Uint8Array,
): { readonly session: Session; readonly metadata: Uint8Array } {
  const fields = fieldsOf("READY", command);
  if (command.length < READY_BYTES_MIN) throw malformed("READY");
  const receivedNonce = viewOf(fields).getBigUint64(0);
  const nonce = shortNonce("CurveZMQREADY---", receivedNonce);
  const metadata = openBox(fields.subarray(8), nonce, sharedKey);
  return { session: { sharedKey, sentNonce: INITIATE_NONCE, receivedNonce }, metadata };
}

/** A MESSAGE command, and the session after it. */
export function sealMessage(
  session: Session,
  { more, command, body }: Message,
): { readonly session: Session; readonly sealed: Uint8Array } {
  const sentNonce = session.sentNonce + 1n;
  const flags = (more ? MORE : 0) | (command ? COMMAND : 0);
  const box = nacl.box.after(
    concatBytes(Uint8Array.of(flags), body),
    shortNonce("CurveZMQMESSAGEC", sentNonce),
    session.sharedKey,
  );
  const sealed = concatBytes(commandName("MESSAGE"), uint64Bytes(sentNonce), box);
  return { session: { ...session, sentNonce }, sealed };
}

/**
 * The content of a MESSAGE command from the server, and the session after it.
 *
 * @throws {ZmtpError}
 */
export function openMessage(
  session: Session,
  sealed: Uint8Array,
): { readonly session: Session; readonly message: Message } {
  const fields = fieldsOf("MESSAGE", sealed);
  if (sealed.length < MESSAGE_OVERHEAD_BYTES) throw malformed("MESSAGE");
  const receivedNonce = viewOf(fields).getBigUint64(0);
  if (receivedNonce <= session.receivedNonce) {
    throw new ZmtpError("nonce_repeated", "A message has a nonce that is not above the last one");
  }
  const nonce = shortNonce("CurveZMQMESSAGES", receivedNonce);
  const content = openBox(fields.subarray(8), nonce, session.sharedKey);
  const [flags = 0] = content;
  if ((flags & ~(MORE | COMMAND)) !== 0) throw malformed("MESSAGE");
  return {
    session: { ...session, receivedNonce },
    message: {
      more: (flags & MORE) !== 0,
      command: (flags & COMMAND) !== 0,
      body: content.subarray(1),
    },
  };
}

/** The key shared by the two, checked: some public keys yield one that everybody knows. */
function sharedKeyOf(publicKey: Uint8Array, { secretKey }: KeyPair): Uint8Array {
  if (
    publicKey.length !== KEY_BYTES || nacl.scalarMult(secretKey, publicKey).every((b) => b === 0)
  ) {
    throw new ZmtpError("server_key_invalid", "The key of the server is not one of Curve25519");
  }
  return nacl.box.before(publicKey, secretKey);
}

function openBox(box: Uint8Array, nonce: Uint8Array, sharedKey: Uint8Array): Uint8Array {
  const content = nacl.box.open.after(box, nonce, sharedKey);
  if (content === null) throw new ZmtpError("box_invalid", "A box of the server does not open");
  return content;
}

function shortNonce(prefix: string, counter: bigint): Uint8Array {
  return concatBytes(asciiBytes(prefix), uint64Bytes(counter));
}

function commandName(name: string): Uint8Array {
  return concatBytes(Uint8Array.of(name.length), asciiBytes(name));
}

/** What follows the name of a command, which must be `name`. */
function fieldsOf(name: string, command: Uint8Array): Uint8Array {
  const start = commandName(name);
  if (startsWith(command, start)) return command.subarray(start.length);
  throw startsWith(command, commandName("ERROR")) && name !== "MESSAGE"
    ? refusalOf(command)
    : new ZmtpError("command_unexpected", `Another command came where ${name} is due`);
}

/** An ERROR is not encrypted, so its reason is only a hint that anybody may have written. */
function refusalOf(command: Uint8Array): ZmtpError {
  const [size, ...reason] = command.subarray(commandName("ERROR").length);
  const text = asciiText(Uint8Array.from(reason));
  if (size !== reason.length || !/^[\x20-\x7e]*$/.test(text)) return malformed("ERROR");
  return new ZmtpError("refused_by_peer", `The server refuses the connection: "${text}"`);
}

function malformed(name: string): ZmtpError {
  return new ZmtpError("command_malformed", `The command ${name} of the server is malformed`);
}
