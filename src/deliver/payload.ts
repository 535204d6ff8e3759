/** Reads payloads before their exports are claimed. Never changes anything. */
import type { Held, Ledger } from "../ledger/ledger.ts";
import type { Log } from "../log.ts";

/**
 * The payload of the held export; `undefined` if it cannot be read, or is not what was accepted.
 * Then the log says why.
 */
export async function payloadOf(
  held: Held,
  { ledger, log }: { readonly ledger: Pick<Ledger, "payload">; readonly log: Log },
): Promise<Uint8Array | undefined> {
  const { id, lane } = held.record;
  try {
    return await ledger.payload(held);
  } catch (error) {
    log({ event: "store.failed", id, lane, error });
    return undefined;
  }
}

/** The export behind another in its lane, and its payload. */
export interface Behind {
  readonly held: Held;
  readonly payload: Uint8Array;
}

/** Reads the export behind the claimed one in its lane, while that is being delivered. */
export async function lookBehind(
  claimed: Held,
  { ledger }: { readonly ledger: Pick<Ledger, "behind" | "payload"> },
): Promise<Behind | undefined> {
  try {
    const held = await ledger.behind(claimed);
    return held && { held, payload: await ledger.payload(held) };
  } catch {
    // Its turn comes when the lane is next woken.
    return undefined;
  }
}
