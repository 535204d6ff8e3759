/**
 * The image's health check: exits 0 if the service beside it says that it is ready, 1 if it says
 * no or nothing in time. Never leaves the machine, reads no file and no secret, changes nothing.
 */
import { get } from "node:http";
import { DEFAULTS, READY_TIMEOUT_MS } from "../limits.ts";

/** The service answers within its own limit or not at all; a second more is for the way there. */
const TIMEOUT_MS = READY_TIMEOUT_MS + 1_000;

/** Whether the service at `port` of this machine says that it is ready. */
export function isReady(port: string): Promise<boolean> {
  // Not `fetch`: that one would ask a proxy, where the environment names one.
  const question = {
    host: "127.0.0.1",
    port,
    path: "/health/ready",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  };
  return new Promise((resolve) => {
    get(question, (answer) => resolve(answer.resume().statusCode === 200))
      .on("error", () => resolve(false));
  });
}

if (import.meta.main) {
  Deno.exit(await isReady(Deno.env.get("DATABOX_LOCAL_PORT") ?? `${DEFAULTS.port}`) ? 0 : 1);
}
