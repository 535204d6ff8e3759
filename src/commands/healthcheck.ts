/**
 * The image's health check: exits 0 if the service beside it reports in time that it is live,
 * otherwise 1. It does not check readiness: an engine that replaces unhealthy containers would
 * discard the exports of a service that is waiting for its arbiter or for room. Never leaves the
 * machine, reads no file and no secret, changes nothing.
 */
import { get, type RequestOptions } from "node:http";
import { connect, createSecureContext } from "node:tls";
import { DEFAULTS } from "../limits.ts";

const HOST = "127.0.0.1";

/** Less than the five seconds that the image gives the check, including its own start. */
const TIMEOUT_MS = 3_000;

/** Whether the service at `port` of this machine reports itself live, over TLS or plain HTTP. */
export async function isLive(port: number): Promise<boolean> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  return await answers({ port, signal, createConnection: () => connectByTls(port) }) ??
    await answers({ port, signal }) ?? false;
}

/** Whether it answers 200; `undefined` if there was no valid answer. */
function answers(options: RequestOptions): Promise<boolean | undefined> {
  // Not `fetch`, which would use a proxy if the environment names one.
  const question = { ...options, host: HOST, path: "/health/live" };
  return new Promise((resolve) => {
    get(question, (answer) => resolve(answer.resume().statusCode === 200))
      .on("error", () => resolve(undefined));
  });
}

/** The certificate is not verified: the request holds no secret and stays on this machine. */
function connectByTls(port: number) {
  const secureContext = createSecureContext();
  return connect({ host: HOST, port, secureContext, rejectUnauthorized: false });
}

if (import.meta.main) {
  Deno.exit(await isLive(Number(Deno.env.get("DATABOX_LOCAL_PORT") ?? DEFAULTS.port)) ? 0 : 1);
}
