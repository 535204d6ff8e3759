/** One request with a deadline: a timeout or a stop is returned as a failure. Never asks twice. */
import { type Deadline, withDeadline } from "../deadline.ts";
import { failed, type FetchedSecret } from "./fetched_secret.ts";

export async function fetchWithin(
  deadline: Deadline,
  ask: (signal: AbortSignal) => Promise<FetchedSecret>,
): Promise<FetchedSecret> {
  const timed = await withDeadline(deadline, ask);
  switch (timed.kind) {
    case "done":
      return timed.value;
    case "timed_out":
      return failed("timed_out", `The arbiter gave no answer within ${deadline.timeoutMs} ms`);
    case "stopped":
      return failed("stopped", "The attempt was stopped");
  }
}
