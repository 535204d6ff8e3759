/**
 * Asks the arbiter of Databox 0.5 for this service's secret: one Zest request over ZeroMQ and
 * CURVE, on its own connection. Never retries: each request makes the arbiter forget the previous
 * secret, so the caller decides when.
 */
import { createKeyPair, KEY_BYTES, type RandomBytes } from "../zmtp/curve.ts";
import type { Duplex } from "../zmtp/duplex.ts";
import { requestOnce } from "../zmtp/req_client.ts";
import { decodeZ85 } from "../zmtp/z85.ts";
import { ZmtpError } from "../zmtp/zmtp_error.ts";
import type { Deadline } from "../deadline.ts";
import { fetchWithin } from "./fetch_within.ts";
import { detailOf, failed, type FetchedSecret, readSecret } from "./fetched_secret.ts";
import { decodeAnswer, encodeGetSecret } from "./zest.ts";

/** Opens a connection; `Deno.connect` is one such function. */
export type Connect = (to: {
  readonly hostname: string;
  readonly port: number;
  readonly signal: AbortSignal;
}) => Promise<Duplex>;

export interface ZestQuestion extends Deadline {
  readonly connect: Connect;
  /** `tcp://host:port` */
  readonly endpoint: URL;
  /** The arbiter's public key in Z85. */
  readonly serverKey: string;
  /** Proves this service's name; exactly as it was handed to this service. */
  readonly token: Uint8Array;
  readonly name: string;
  readonly randomBytes: RandomBytes;
}

export async function fetchSecretByZest(question: ZestQuestion): Promise<FetchedSecret> {
  const { endpoint, token, name } = question;
  const address = addressOf(endpoint);
  if (address === undefined) return failed("endpoint_invalid", "It must be tcp://host:port");
  const serverKey = decodeZ85(question.serverKey);
  if (serverKey?.length !== KEY_BYTES) {
    return failed("server_key_invalid", "The arbiter's key must be 40 characters of Z85");
  }
  const encoded = encodeGetSecret(token, name);
  if (encoded.kind === "failed") return failed(encoded.code, "It cannot be put into a question");

  const { connect, randomBytes } = question;
  // Before connecting, since a failure here would then leave the connection open.
  const keyPair = createKeyPair(randomBytes);
  return await fetchWithin(question, async (signal) => {
    const conn = await reach(() => connect({ ...address, signal }));
    if (conn.kind === "failed") return conn;
    const options = { serverKey, keyPair, randomBytes, signal };
    return await ask(() => requestOnce(conn.duplex, options, encoded.bytes));
  });
}

/** Host and port of `tcp://host:port`, or `undefined` if it has anything more. */
function addressOf(endpoint: URL): { hostname: string; port: number } | undefined {
  const { protocol, hostname, port, username, password, pathname, search, hash } = endpoint;
  const extra = `${username}${password}${pathname}${search}${hash}`;
  if (protocol !== "tcp:" || hostname === "" || port === "" || !/^\/?$/.test(extra)) {
    return undefined;
  }
  // A URL writes an IPv6 address in brackets; a connection takes it without them.
  return { hostname: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

type Reached =
  | { readonly kind: "reached"; readonly duplex: Duplex }
  | Extract<FetchedSecret, { kind: "failed" }>;

async function reach(connect: () => Promise<Duplex>): Promise<Reached> {
  try {
    return { kind: "reached", duplex: await connect() };
  } catch (error) {
    return { kind: "failed", code: "connect_failed", detail: detailOf(error) };
  }
}

async function ask(request: () => Promise<Uint8Array>): Promise<FetchedSecret> {
  try {
    return secretOf(await request());
  } catch (error) {
    if (error instanceof ZmtpError) return failed(error.code, toldOf(error));
    throw error;
  }
}

function toldOf({ code, message }: ZmtpError): string {
  if (code !== "hello_unanswered") return message;
  return `${message}: ZMQ_PUBLIC_KEY may be that of another arbiter`;
}

function secretOf(reply: Uint8Array): FetchedSecret {
  const answer = decodeAnswer(reply);
  if (answer.kind === "failed") {
    const code = answer.number === undefined ? "nothing" : `code ${answer.number}`;
    return failed(answer.code, `The arbiter answered ${code} in ${reply.length} bytes`);
  }
  if (answer.payload.length === 0) {
    return failed("secret_missing", "The arbiter answered no secret");
  }
  const secret = readSecret(answer.payload);
  return secret === undefined
    ? failed("answer_malformed", "What the arbiter answered is not a secret")
    : { kind: "secret", secret };
}
