/**
 * The image's health check: exits 0 if the service beside it says that it is live, 1 if it says
 * nothing in time. Not whether it is ready: an engine that replaces what is not would take its exports
 * from a service that waits for its arbiter or for room. Never leaves the machine, reads no file and
 * no secret, changes nothing.
 */
import { get, type RequestOptions } from "node:http";
import { connect, createSecureContext } from "node:tls";
import { DEFAULTS } from "../limits.ts";

const HOST = "127.0.0.1";

/** Below the five seconds that the image gives the check, its own start included. */
const TIMEOUT_MS = 3_000;

/** Whether the service at `port` of this machine says that it is live, by TLS or in the clear. */
export async function isLive(port: number): Promise<boolean> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return await answers({ port, signal, createConnection: () => connectByTls(port) }) ??
    await answers({ port, signal }) ?? false;
}

/** `undefined` if what came is no answer. */
function answers(options: RequestOptions): Promise<boolean | undefined> {
  // Not `fetch`: that one would ask a proxy, where the environment names one.
  const question = { ...options, host: HOST, path: "/health/live" };
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
  Deno.exit(await isLive(Number(Deno.env.get("DATABOX_LOCAL_PORT") ?? DEFAULTS.port)) ? 0 : 1);
}
