/**
 * Enters refusals in the ledger, within bounds: callers that may not export must not be able to
 * fill the disk either. Beyond the bound for a minute they are counted, and the count is entered.
 * Each owner has a bound of their own, so that nobody can hide behind the refusals of others.
 */
import type { Clock } from "../clock.ts";
import { Counts } from "../counts.ts";
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { REFUSALS_LEDGERED_PER_MINUTE, REFUSED_OWNERS_PER_MINUTE } from "../limits.ts";
import type { Log } from "../log.ts";

const MINUTE_MS = 60_000;
/** The name for callers without an owner, and for owners beyond the bound; no owner has it. */
const STRANGERS = "";

/** What was refused, and why. */
export type RefusalNote = Omit<Extract<LedgerEntry, { kind: "export.refused" }>, "kind" | "at">;

export interface RefusalsParts {
  readonly ledger: Pick<Ledger, "enter">;
  readonly clock: Clock;
  readonly log: Log;
}

export class Refusals {
  readonly #parts: RefusalsParts;
  #minute = 0;
  /** Refusals entered this minute, by owner. */
  #entered = new Counts();
  readonly #omitted = new Map<string, number>();
  /** Cancels the timer that enters the omitted ones at the end of their minute. */
  #cancelTelling = () => {};
  /** Entries that the ledger has not confirmed yet. */
  readonly #entering = new Set<Promise<void>>();

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
  }

  /** Notes a refusal. The answer to the caller neither waits for it nor depends on it. */
  note(refusal: RefusalNote): void {
    const { clock, log } = this.#parts;
    const at = clock.now();
    const minute = Math.floor(at / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#enterOmitted();
      this.#minute = minute;
      this.#entered = new Counts();
    }
    const who = this.#nameOf(refusal.owner);
    if (this.#entered.of(who) >= REFUSALS_LEDGERED_PER_MINUTE) {
      if (this.#omitted.size === 0) this.#tellAfter((minute + 1) * MINUTE_MS - at);
      this.#omitted.set(who, 1 + (this.#omitted.get(who) ?? 0));
      return;
    }
    this.#entered.add(who, 1);
    log({ event: "export.refused", ...refusal });
    this.#enter({ kind: "export.refused", at, ...refusal });
  }

  /** Enters the counts of the omitted; resolves when the ledger has answered for all entries. */
  async close(): Promise<void> {
    this.#enterOmitted();
    await Promise.all(this.#entering);
  }

  /** Whose bound applies: only a limited number of owners a minute have their own. */
  #nameOf(owner = STRANGERS): string {
    const isKnown = this.#entered.of(owner) > 0;
    return isKnown || this.#entered.size < REFUSED_OWNERS_PER_MINUTE ? owner : STRANGERS;
  }

  /** Enters the count of a minute as soon as that is over, even if no further request comes. */
  #tellAfter(ms: number): void {
    this.#cancelTelling = this.#parts.clock.after(ms, () => this.#enterOmitted());
  }

  #enterOmitted(): void {
    const { clock, log } = this.#parts;
    this.#cancelTelling();
    for (const [who, count] of this.#omitted) {
      const omitted = { count, ...(who !== STRANGERS && { owner: who }) };
      log({ event: "refusals.omitted", ...omitted });
      this.#enter({ kind: "refusals.omitted", at: clock.now(), ...omitted });
    }
    this.#omitted.clear();
  }

  #enter(entry: LedgerEntry): void {
    const { ledger, log } = this.#parts;
    const entering = ledger.enter(entry)
      .catch((error) => log({ event: "store.failed", entry: entry.kind, error }))
      .finally(() => this.#entering.delete(entering));
    this.#entering.add(entering);
  }
}
