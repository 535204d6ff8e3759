/**
 * Tells the log who met which limit, once a minute each: whoever is over one comes again and again. It
 * is not entered in the ledger: it asked for nothing that was not permitted.
 */
import type { Clock } from "../clock.ts";
import { LIMITS_LOGGED_PER_MINUTE } from "../limits.ts";
import type { Log } from "../log.ts";
import { isLimit, type ProblemCode } from "./problem.ts";

const MINUTE_MS = 60_000;

export class LimitLog {
  readonly #log: Log;
  readonly #clock: Pick<Clock, "now">;
  #minute = 0;
  /** Who was told of this minute, and for what. */
  readonly #told = new Set<string>();

  constructor(log: Log, clock: Pick<Clock, "now">) {
    this.#log = log;
    this.#clock = clock;
  }

  /** Notes that `owner` was told `code`, if that is a limit. */
  note(code: ProblemCode, owner: string): void {
    if (!isLimit(code)) return;
    const minute = Math.floor(this.#clock.now() / MINUTE_MS);
    if (minute !== this.#minute) this.#told.clear();
    this.#minute = minute;
    const which = `${code} ${owner}`;
    if (this.#told.has(which) || this.#told.size >= LIMITS_LOGGED_PER_MINUTE) return;
    this.#told.add(which);
    this.#log({ event: "request.limited", code, owner });
  }
}
