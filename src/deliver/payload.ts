/** Reads payloads before their exports are claimed. Never changes anything. */
import { Damaged, type Held, type Ledger } from "../ledger/ledger.ts";
import { PAYLOAD_RETRY_MS } from "../limits.ts";
import type { Log } from "../log.ts";

/**
 * The payload of the held export. If it is not what was accepted, the log says so; if it cannot be
 * read, which may pass, that is logged too, only its lane waits, and the result is `undefined`.
 */
export async function payloadOf(
  held: Held,
  { ledger, log }: { readonly ledger: Pick<Ledger, "payload">; readonly log: Log },
  context: { lookAgain(lane: string, ms: number): void },
): Promise<Uint8Array | "damaged" | undefined> {
  const { id, lane } = held.record;
  try {
    return await ledger.payload(held);
  } catch (error) {
    log({ event: "store.failed", id, lane, error });
    if (error instanceof Damaged) return "damaged";
    context.lookAgain(lane, PAYLOAD_RETRY_MS);
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
