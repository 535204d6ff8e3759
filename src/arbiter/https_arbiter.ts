/**
 * Asks the arbiter of Databox 0.4 and earlier for this service's secret, over HTTPS. Never follows
 * a redirect, and never puts the key anywhere but in its header.
 */
import { Buffer } from "node:buffer";
import { ARBITER_TOKEN_BYTES_MAX, HTTPS_ANSWER_BYTES_MAX } from "./arbiter_limits.ts";
import type { Deadline } from "../deadline.ts";
import { fetchWithin } from "./fetch_within.ts";
import {
  type ArbiterFault,
  detailOf,
  failed,
  type FetchedSecret,
  readSecret,
} from "./fetched_secret.ts";

/** The part of `fetch` that is used here; its provider makes it trust the arbiter's CA. */
export type HttpsFetch = (url: URL, init: {
  readonly headers: Record<string, string>;
  readonly redirect: "manual";
  readonly signal: AbortSignal;
}) => Promise<Response>;

export interface HttpsQuestion extends Deadline {
  readonly fetch: HttpsFetch;
  /** `https://host:port` */
  readonly endpoint: URL;
  /** The bytes of the key file, exactly as they were handed to this service. */
  readonly key: Uint8Array;
}

export async function fetchSecretByHttps(question: HttpsQuestion): Promise<FetchedSecret> {
  const { endpoint, key } = question;
  const { protocol, username, password, pathname, search, hash } = endpoint;
  if (protocol !== "https:" || `${username}${password}${pathname}${search}${hash}` !== "/") {
    return failed("endpoint_invalid", "It must be https://host:port");
  }
  if (key.length > ARBITER_TOKEN_BYTES_MAX) {
    return failed("token_too_long", "It cannot be put into a question");
  }
  return await fetchWithin(question, (signal) => ask(question, signal));
}

async function ask(
  { fetch, endpoint, key }: HttpsQuestion,
  signal: AbortSignal,
): Promise<FetchedSecret> {
  const url = new URL("/store/secret", endpoint);
  const headers = { "X-Api-Key": Buffer.from(key).toString("base64") };
  let response: Response;
  try {
    response = await fetch(url, { headers, redirect: "manual", signal });
  } catch (error) {
    return failed("connect_failed", detailOf(error));
  }
  try {
    return await readResponse(response);
  } catch (error) {
    return failed("connection_lost", detailOf(error));
  }
}

const REFUSALS: ReadonlyMap<number, ArbiterFault> = new Map([
  [401, "unauthorized"],
  [403, "unauthorized"],
]);

async function readResponse(response: Response): Promise<FetchedSecret> {
  const { status, ok } = response;
  if (!ok) {
    await response.body?.cancel();
    return failed(REFUSALS.get(status) ?? "status_unexpected", `The arbiter answered ${status}`);
  }
  const body = await readBody(response);
  if (body === undefined) {
    return failed("answer_too_large", `It has more than ${HTTPS_ANSWER_BYTES_MAX} bytes`);
  }
  if (body.length === 0) return failed("secret_missing", "The arbiter answered no secret");
  const secret = readSecret(body);
  return secret === undefined
    ? failed("answer_malformed", "What the arbiter answered is not a secret")
    : { kind: "secret", secret };
}

/** The whole body, or `undefined` if it is above the limit. */
async function readBody(response: Response): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    // Leaving the loop cancels the rest.
    if (size > HTTPS_ANSWER_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
