/** `GET /health/live` and `GET /health/ready`, for whoever runs the container. They need no token. */
import { Hono } from "hono";
import type { Clock } from "../clock.ts";
import { withinBounds } from "../deadline.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { READY_TIMEOUT_MS, READY_WORTH_MS } from "../limits.ts";
import { remembered } from "../remembered.ts";
import { type HeadBounds, headBounds } from "./head_bounds.ts";
import { problem } from "./problem.ts";

export interface HealthParts {
  readonly ledger: Pick<Ledger, "probe">;
  readonly clock: Clock;
  readonly rootKeys: () => { readonly complete: boolean };
  /** Hosts that cannot be reached at present. */
  readonly unreachableHosts: () => number;
  readonly headBounds: HeadBounds;
}

export function healthRoutes(parts: HealthParts): Hono {
  const { ledger, clock, rootKeys, unreachableHosts } = parts;
  // Strangers may ask as often as they like.
  const takesWrites = remembered(
    READY_WORTH_MS,
    clock,
    () => answersInTime(() => ledger.probe(), clock),
  );
  return new Hono()
    .use(headBounds(parts.headBounds))
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

async function answersInTime(probe: () => Promise<void>, clock: Clock): Promise<boolean> {
  try {
    const bounds = { clock, timeoutMs: READY_TIMEOUT_MS };
    return (await withinBounds(bounds, probe)).kind === "done";
  } catch {
    return false;
  }
}
