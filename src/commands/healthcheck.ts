/**
 * The image's health check: exits 0 if the service beside it says that it is ready, 1 if it says
 * no or nothing in time. Never leaves the machine, reads no file and no secret, changes nothing.
 */
import { get, type RequestOptions } from "node:http";
import { connect, createSecureContext } from "node:tls";
import { DEFAULTS, READY_TIMEOUT_MS } from "../limits.ts";

const HOST = "127.0.0.1";

/** The service answers within its own limit or not at all; a second more is for the way there. */
const TIMEOUT_MS = READY_TIMEOUT_MS + 1_000;

/** Whether the service at `port` of this machine says that it is ready, by TLS or in the clear. */
export async function isReady(port: number): Promise<boolean> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return await answersReady({ port, signal, createConnection: () => connectByTls(port) }) ??
    await answersReady({ port, signal }) ?? false;
}

/** `undefined` if what came is no answer. */
function answersReady(options: RequestOptions): Promise<boolean | undefined> {
  // Not `fetch`: that one would ask a proxy, where the environment names one.
  const question = { ...options, host: HOST, path: "/health/ready" };
  return new Promise((resolve) => {
    get(question, (answer) => resolve(answer.resume().statusCode === 200))
      .on("error", () => resolve(undefined));
  });
}

/** Whose certificate it is does not matter: the question holds no secret and stays here. */
function connectByTls(port: number) {
  const secureContext = createSecureContext();
  return connect({ host: HOST, port, secureContext, rejectUnauthorized: false });
}

if (import.meta.main) {
  Deno.exit(await isReady(Number(Deno.env.get("DATABOX_LOCAL_PORT") ?? DEFAULTS.port)) ? 0 : 1);
}
