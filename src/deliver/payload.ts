/**
 * Reads what is to be delivered, before it is claimed: what cannot be read was not attempted. Never
 * changes anything.
 */
import type { Held, Ledger } from "../ledger/ledger.ts";
import { PAYLOAD_RETRY_MS } from "../limits.ts";
import type { Log } from "../log.ts";

/** The bytes of what is held. What cannot be read may be damaged: its lane alone waits, and the log names it. */
export async function payloadOf(
  held: Held,
  { ledger, log }: { readonly ledger: Pick<Ledger, "payload">; readonly log: Log },
  around: { lookAgain(lane: string, ms: number): void },
): Promise<Uint8Array | undefined> {
  const { id, lane } = held.record;
  try {
    return await ledger.payload(held);
  } catch (error) {
    log({ event: "store.failed", id, lane, error });
    around.lookAgain(lane, PAYLOAD_RETRY_MS);
    return undefined;
  }
}

/** What stands behind in a lane, and its bytes. */
export interface Behind {
  readonly held: Held;
  readonly payload: Uint8Array;
}

/** Reads what stands behind in the lane while the one before it is on its way. */
export async function lookBehind(
  claimed: Held,
  { ledger }: { readonly ledger: Pick<Ledger, "behind" | "payload"> },
): Promise<Behind | undefined> {
  try {
    const held = await ledger.behind(claimed);
    return held && { held, payload: await ledger.payload(held) };
  } catch {
    // Its turn comes when the lane is woken.
    return undefined;
  }
}
