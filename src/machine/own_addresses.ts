/**
 * The addresses of this machine, to which nothing is sent. Read from the system now and then, not
 * for each export: they change when a cable or a lease does.
 */
import type { Clock } from "../clock.ts";
import { cached } from "../cached.ts";

/** How long an answer of the system is reused. */
const CACHE_MS = 1_000;

/**
 * Returns a function for the addresses as of at most {@link CACHE_MS} ago, or as last known while
 * the system does not answer, as when no file descriptor is left.
 *
 * @throws if the system does not answer even now
 */
export function ownAddresses(
  clock: Pick<Clock, "now">,
  ask: () => readonly { readonly address: string }[] = Deno.networkInterfaces,
): () => readonly string[] {
  let known = ask();
  const latest = () => {
    try {
      known = ask();
    } catch {
      // Not even the log may be told: to read a stack takes a descriptor, too.
    }
    return known.map(({ address }) => address);
  };
  return cached(CACHE_MS, clock, latest);
}
