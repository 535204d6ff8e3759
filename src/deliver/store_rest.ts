/**
 * While the store fails, no lane is taken up for a while: what fails for one fails for all, and
 * there may be thousands.
 */
import { STORE_RETRIES_PER_LINE, STORE_RETRY_MS } from "../limits.ts";
import type { StoreFailed } from "../ledger/ledger.ts";
import type { Log } from "../log.ts";
import type { Timers } from "./timers.ts";

export class StoreRest {
  readonly #timers: Timers;
  readonly #log: Log;
  readonly #onOver: () => void;
  /** The rest that goes on; the timer of one that was cut short must not end it. */
  #rest: symbol | undefined;
  /** Since the store last worked. */
  #failures = 0;

  constructor(timers: Timers, log: Log, onOver: () => void) {
    this.#timers = timers;
    this.#log = log;
    this.#onOver = onOver;
  }

  /** Whether no lane should be taken up now. */
  get rests(): boolean {
    return this.#rest !== undefined;
  }

  begin({ cause }: StoreFailed): void {
    if (this.rests) return;
    const rest = this.#rest = Symbol();
    const isTold = this.#failures++ % STORE_RETRIES_PER_LINE === 0;
    if (isTold) this.#log({ event: "store.failed", error: cause });
    this.#timers.after(STORE_RETRY_MS, () => {
      if (this.#rest !== rest) return;
      this.#rest = undefined;
      this.#onOver();
    });
  }

  /** The store has accepted a write. */
  end(): void {
    this.#failures = 0;
    if (!this.rests) return;
    this.#rest = undefined;
    this.#onOver();
  }
}
