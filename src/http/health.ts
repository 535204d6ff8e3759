/** `GET /health/live` and `GET /health/ready`, for whoever runs the container; no token needed. */
import { Hono } from "hono";
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { READY_CACHE_MS, READY_TIMEOUT_MS } from "../limits.ts";
import type { Log } from "../log.ts";
import { cached } from "../cached.ts";
import { problem } from "./problem.ts";

export interface HealthParts {
  readonly ledger: Pick<Ledger, "probe">;
  readonly clock: Clock;
  readonly rootKeys: () => { readonly complete: boolean };
  /** Hosts that cannot be reached at present. */
  readonly unreachableHosts: () => number;
  readonly throttledLog: Log;
}

export function healthRoutes(parts: HealthParts): Hono {
  const { ledger, clock, rootKeys, unreachableHosts, throttledLog } = parts;
  // Strangers may ask as often as they like.
  const takesWrites = cached(READY_CACHE_MS, clock, async () => {
    const error = await faultOf(() => ledger.probe(), clock);
    if (error !== undefined) throttledLog({ event: "store.failed", error });
    return error === undefined;
  });
  return new Hono()
    .get("/live", (c) => c.json({ status: "live" }))
    .get("/ready", async (c) => {
      if (!rootKeys().complete) return problem("not_ready", "There is no root key yet.");
      if (!await takesWrites()) {
        return problem("not_ready", "The store does not take writes.");
      }
      const count = unreachableHosts();
      return c.json({ status: "ready", ...(count > 0 && { unreachable_hosts: count }) });
    });
}

/** What is wrong with the store; `undefined` if it takes writes. */
async function faultOf(probe: () => Promise<void>, clock: Clock): Promise<unknown> {
  try {
    const deadline = { clock, timeoutMs: READY_TIMEOUT_MS };
    if ((await withDeadline(deadline, probe)).kind === "done") return undefined;
    return new Error(`The store did not answer within ${READY_TIMEOUT_MS} ms`);
  } catch (error) {
    return error;
  }
}
