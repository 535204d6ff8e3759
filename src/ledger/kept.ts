/**
 * How much the exports of an owner leave behind: records and answers until their retention is over,
 * ledger entries for ever. So many bytes are let go of in a day, and that many may be left at once; an
 * answer that comes is kept whatever it takes, up to a day's bytes in advance. In memory only: a start
 * begins anew.
 */
import type { Spent } from "./ledger.ts";

const DAY_MS = 86_400_000;
/** Who has nothing left to let go of is forgotten this often. */
const SWEEP_MS = 60_000;

export class Kept {
  readonly #bytesPerDay: number;
  /** By owner, when all of theirs will have been let go of. */
  readonly #goneAt = new Map<string, number>();
  #sweptAt = 0;

  constructor(bytesPerDay: number) {
    this.#bytesPerDay = bytesPerDay;
  }

  /** How many owners have something to let go of, or had a minute ago. */
  get owners(): number {
    return this.#goneAt.size;
  }

  /** Whether `owner` has left more than a day's bytes, and for how long. */
  spent(owner: string, now: number): Spent | undefined {
    const waitMs = this.#leftMs(owner, now) - DAY_MS;
    return waitMs > 0 ? { kind: "spent", perDay: this.#bytesPerDay, waitMs } : undefined;
  }

  /** The exports of `owner` leave `bytes` more. */
  add(owner: string, bytes: number, now: number): void {
    this.#sweep(now);
    const leftMs = this.#leftMs(owner, now) + bytes * DAY_MS / this.#bytesPerDay;
    this.#goneAt.set(owner, now + Math.min(leftMs, 2 * DAY_MS));
  }

  #leftMs(owner: string, now: number): number {
    const leftMs = (this.#goneAt.get(owner) ?? now) - now;
    // More than there can be: the clock was put back.
    return leftMs > 2 * DAY_MS ? 0 : Math.max(0, leftMs);
  }

  #sweep(now: number): void {
    if (Math.abs(now - this.#sweptAt) < SWEEP_MS) return;
    this.#sweptAt = now;
    for (const [owner, goneAt] of this.#goneAt) if (goneAt <= now) this.#goneAt.delete(owner);
  }
}
