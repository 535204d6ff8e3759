/** The way out as the operator sets it. */
import type { Clock } from "../clock.ts";
import { type Config, egressPolicy } from "../config.ts";
import { createEgress, type Egress } from "../egress/egress.ts";
import { systemResolve } from "../egress/guard.ts";
import { createTrust, type Trust } from "../egress/trust.ts";
import { KEEP_AGE_MS, KEEP_IDLE_MS, KEPT_CONNECTIONS_MAX } from "../limits.ts";
import { explained, messageOf } from "../machine/file_faults.ts";
import { UsageError } from "../machine/flags.ts";
import { ownAddresses } from "../machine/own_addresses.ts";

/** @throws {UsageError} if the extra CA cannot be used */
export async function openEgress(config: Config, clock: Clock): Promise<Egress> {
  return createEgress({
    policy: egressPolicy(config),
    ownAddresses: ownAddresses(clock),
    clock,
    resolve: systemResolve,
    attemptTimeoutMs: config.EXPORT_ATTEMPT_TIMEOUT,
    answerBytesMax: config.EXPORT_RESPONSE_LIMIT,
    trust: await readTrust(config.EXPORT_EXTRA_CA),
    keep: { idleMs: KEEP_IDLE_MS, ageMs: KEEP_AGE_MS, max: KEPT_CONNECTIONS_MAX },
  });
}

async function readTrust(path: string | undefined): Promise<Trust> {
  if (path === undefined) return createTrust();
  try {
    return createTrust(await Deno.readTextFile(path));
  } catch (cause) {
    const fault = explained("read", path, cause);
    const why = messageOf(fault);
    throw new UsageError(`EXPORT_EXTRA_CA "${path}" cannot be used: ${why}`, { cause });
  }
}
