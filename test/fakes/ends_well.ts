/** What must hold once everything has settled, whatever went wrong before. */
import { assert, assertEquals } from "@std/assert";
import { isLedgerEntry } from "../../src/exports/ledger_entry.ts";
import { readChains } from "../../src/ledger/read_chains.ts";
import type { TestService } from "./test_service.ts";
import { verifyStored } from "./verify.ts";

export interface Accepted {
  readonly id: string;
  readonly uri: string;
  readonly data: string;
  readonly token?: string;
}

/** Each accepted export arrived as it was and is finished; nothing that is not needed is left. */
export async function assertEndsWell(
  service: TestService,
  accepted: readonly Accepted[],
): Promise<void> {
  await service.ledger.sweep();
  const arrived = new Set(
    service.sent.map(({ headers, body }) =>
      `${headers["idempotency-key"]} ${new TextDecoder().decode(body)}`
    ),
  );
  for (const { id, uri, data, token } of accepted) {
    const { state } = await service.poll(id, { uri, ...(token !== undefined && { token }) });
    assertEquals(state, "Finished", id);
    assert(arrived.has(`${id} ${data}`), `${id} arrived`);
  }
  for await (const chain of readChains(service.kv)) {
    assertEquals((await verifyStored(chain)).kind, "intact");
  }
  const entries = await service.entries();
  for (const entry of entries) assert(isLedgerEntry(entry), JSON.stringify(entry));
  assertAttemptsAddUp(entries, service);
  // What was staged and never accepted is gone, and so is all that was needed only for delivery.
  for (const prefix of ["lane", "lease", "payload", "staged"]) {
    const left = await Array.fromAsync(service.kv.list({ prefix: [prefix] }), ({ key }) => key);
    assertEquals(left, [], prefix);
  }
}

/**
 * By the ledger, each export was accepted once, had one attempt at a time and one end; and nothing
 * arrived more often than it was tried.
 */
function assertAttemptsAddUp(
  entries: Awaited<ReturnType<TestService["entries"]>>,
  { sent }: TestService,
): void {
  const stories = new Map<unknown, { steps: string; attempts: number }>();
  for (const { kind, id, attempt, next } of entries) {
    if (id === undefined) continue;
    const story = stories.get(id) ?? { steps: "", attempts: 0 };
    if (kind === "attempt.started") story.attempts++;
    if (attempt !== undefined) assertEquals(attempt, story.attempts, `attempts of ${id}`);
    story.steps += STEPS[String(next ?? kind)] ?? "?";
    stories.set(id, story);
  }
  for (const [id, { steps, attempts }] of stories) {
    assert(/^A(S[RL])*SF$/.test(steps), `${id}: ${steps}`);
    const arrivals = sent.filter(({ headers }) => headers["idempotency-key"] === id);
    assert(arrivals.length <= attempts, `${id} arrived more often than it was tried`);
  }
}

const STEPS: Readonly<Record<string, string>> = {
  "export.accepted": "A",
  "attempt.started": "S",
  "attempt.lapsed": "L",
  retry: "R",
  finished: "F",
};
