/** One question within its bounds: whatever ends it, there is a value that says so. Never asks twice. */
import { type Deadline, withDeadline } from "../deadline.ts";
import { failed, type FetchedSecret } from "./fetched_secret.ts";

export async function fetchWithin(
  bounds: Deadline,
  ask: (signal: AbortSignal) => Promise<FetchedSecret>,
): Promise<FetchedSecret> {
  const bounded = await withDeadline(bounds, ask);
  switch (bounded.kind) {
    case "done":
      return bounded.value;
    case "timed_out":
      return failed("timed_out", `The arbiter gave no answer within ${bounds.timeoutMs} ms`);
    case "stopped":
      return failed("stopped", "The attempt was stopped");
  }
}
