/**
 * The addresses of this machine, which nothing is sent to. Asked of the system once in a while, not
 * for each export: they change when a cable or a lease does.
 */
import type { Clock } from "../clock.ts";
import { remembered } from "../remembered.ts";

/** An answer of the system is worth this long. */
const WORTH_MS = 1_000;

/** Tells the addresses as of at most {@link WORTH_MS} ago. */
export function ownAddresses(
  clock: Pick<Clock, "now">,
  ask: () => readonly { readonly address: string }[] = Deno.networkInterfaces,
): () => readonly string[] {
  return remembered(WORTH_MS, clock, () => ask().map(({ address }) => address));
}
