/**
 * What is said and done of an attempt whose end nobody knows: its process was killed, or its lease ran
 * out. That it is tried again, and when, is decided by `claim.ts`.
 */
import type { Change } from "../exports/export.ts";
import { hostAndPathOf } from "../exports/ledger_entry.ts";
import type { Facts, Finished } from "../exports/record.ts";
import { fromStore, type Held } from "../ledger/ledger.ts";
import { STORE_RETRY_MS } from "../limits.ts";
import type { DeliveryParts, Surroundings } from "./delivery.ts";

/** Tells the log that the last attempt of an export lapsed, and what it is `next`. */
export function noteLapse(
  { id, owner, uri, attempts, acceptedAt }: Facts,
  next: "delivering" | "finished",
  { log, clock }: Pick<DeliveryParts, "log" | "clock">,
): void {
  const { host } = hostAndPathOf(uri);
  const ageMs = clock.now() - acceptedAt;
  log({ event: "delivery.lapsed", id, owner, host, attempt: attempts, ageMs, next });
}

/** Ends an export as `end` says, and has what is behind it looked at. */
export async function giveUp(
  held: Held,
  end: Change<Finished>,
  parts: DeliveryParts,
  around: Pick<Surroundings, "lookAgain">,
): Promise<void> {
  const { record } = held;
  const ended = await fromStore(parts.ledger.change(held, end));
  if (ended !== undefined) noteLapse(record, "finished", parts);
  around.lookAgain(record.lane, ended === undefined ? STORE_RETRY_MS : 0);
}
