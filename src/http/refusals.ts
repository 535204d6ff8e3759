/**
 * Enters refusals in the ledger, within bounds: callers that may not export must not be able to
 * fill the disk either. Beyond the bound for a minute they are counted, and the count is entered.
 * Each owner has a bound of their own, so that nobody can hide behind the refusals of others. What
 * the ledger does not take, such as on a low disk, is counted too, and entered once it does: twice
 * at worst, if it was taken by a commit that failed only in its answer.
 */
import type { Clock } from "../clock.ts";
import { Counts } from "../counts.ts";
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { REFUSALS_LEDGERED_PER_MINUTE, REFUSED_OWNERS_PER_MINUTE } from "../limits.ts";
import type { Log } from "../log.ts";
import { throttledLog } from "./throttled_log.ts";

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
  readonly #throttledLog: Log;
  #minute = 0;
  /** Refusals entered this minute, by owner. */
  #entered = new Counts();
  /** Refusals to be entered by their number, by owner. */
  readonly #omitted = new Map<string, number>();
  /** How many of these the log has been told of, each by a line of its own or by their number. */
  readonly #logged = new Counts();
  /** Cancels the timer that enters the omitted ones at the end of their minute. */
  #cancelTelling = () => {};
  #closed = false;
  /** Entries that the ledger has not confirmed yet. */
  readonly #entering = new Set<Promise<void>>();

  constructor(parts: RefusalsParts) {
    this.#parts = parts;
    this.#throttledLog = throttledLog(parts.log, parts.clock);
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
      return this.#omit(who, 1);
    }
    this.#entered.add(who, 1);
    log({ event: "export.refused", ...refusal });
    this.#enter({ kind: "export.refused", at, ...refusal }, who, 1);
  }

  /** Enters the counts of the omitted; resolves when the ledger has answered for all entries. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#enterOmitted();
    await Promise.all(this.#entering);
  }

  /** Whose bound applies: only a limited number of owners a minute have their own. */
  #nameOf(owner = STRANGERS): string {
    const isKnown = this.#entered.of(owner) > 0;
    return isKnown || this.#entered.size < REFUSED_OWNERS_PER_MINUTE ? owner : STRANGERS;
  }

  /** Has them entered by number once the minute is over, even if no further request comes. */
  #omit(who: string, count: number): void {
    const { clock } = this.#parts;
    if (this.#omitted.size === 0 && !this.#closed) {
      const ms = MINUTE_MS - clock.now() % MINUTE_MS;
      this.#cancelTelling = clock.after(ms, () => this.#enterOmitted());
    }
    this.#omitted.set(who, count + (this.#omitted.get(who) ?? 0));
  }

  #enterOmitted(): void {
    const { clock, log } = this.#parts;
    this.#cancelTelling();
    const omitted = [...this.#omitted];
    this.#omitted.clear();
    for (const [who, count] of omitted) {
      const owner = who !== STRANGERS && { owner: who };
      const untold = count - this.#logged.of(who);
      this.#logged.clear(who);
      if (untold > 0) log({ event: "refusals.omitted", count: untold, ...owner });
      this.#enter({ kind: "refusals.omitted", at: clock.now(), count, ...owner }, who, count);
    }
  }

  /** @param count how many refusals the entry is about; the log has been told of them */
  #enter(entry: LedgerEntry, who: string, count: number): void {
    const { ledger } = this.#parts;
    const entering = ledger.enter(entry)
      .catch((error) => {
        this.#throttledLog({ event: "store.failed", entry: entry.kind, error });
        this.#logged.add(who, count);
        this.#omit(who, count);
      })
      .finally(() => this.#entering.delete(entering));
    this.#entering.add(entering);
  }
}
