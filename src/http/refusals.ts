/**
 * Enters refusals in the ledger, within bounds: who may not export must not be able to fill the
 * disk either. Past the bound of a minute they are counted, and the count is entered.
 */
import type { Clock } from "../clock.ts";
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { REFUSALS_LEDGERED_PER_MINUTE } from "../limits.ts";
import type { Log } from "../log.ts";

const MINUTE_MS = 60_000;

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
  #entered = 0;
  #omitted = 0;
  /** What the ledger has not taken yet. */
  readonly #entering = new Set<Promise<void>>();

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
  }

  /** Notes a refusal. The caller's answer does not wait for it, nor depend on it. */
  note(refusal: RefusalNote): void {
    const { clock, log } = this.#parts;
    const at = clock.now();
    const minute = Math.floor(at / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#enterOmitted();
      this.#minute = minute;
      this.#entered = 0;
    }
    if (this.#entered++ >= REFUSALS_LEDGERED_PER_MINUTE) {
      this.#omitted++;
      return;
    }
    log({ event: "export.refused", ...refusal });
    this.#enter({ kind: "export.refused", at, ...refusal });
  }

  /** Enters how many were only counted; resolves when the ledger has answered to all that was noted. */
  async close(): Promise<void> {
    this.#enterOmitted();
    await Promise.all(this.#entering);
  }

  #enterOmitted(): void {
    const count = this.#omitted;
    if (count === 0) return;
    this.#omitted = 0;
    this.#parts.log({ event: "refusals.omitted", count });
    this.#enter({ kind: "refusals.omitted", at: this.#parts.clock.now(), count });
  }

  #enter(entry: LedgerEntry): void {
    const { ledger, log } = this.#parts;
    const entering = ledger.enter(entry)
      .catch((error) => log({ event: "store.failed", entry: entry.kind, error }))
      .finally(() => this.#entering.delete(entering));
    this.#entering.add(entering);
  }
}
