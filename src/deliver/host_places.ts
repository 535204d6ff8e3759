/**
 * Bounds how many lanes deliver to one host at once. A place that becomes free goes to the lane
 * that has waited longest, and is kept for it. Knows nothing of what the lanes do.
 */
import { Counts } from "../counts.ts";

export class HostPlaces {
  readonly #max: number;
  /** Host at which a lane has a place. */
  readonly #hostOf = new Map<string, string>();
  readonly #taken = new Counts();
  readonly #waiting = new Map<string, Set<string>>();
  /** All waiting lanes, at any host. */
  readonly #lanes = new Set<string>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Returns whether `lane` has a place at `host` from now on; if not, it waits for one. */
  take(host: string, lane: string): boolean {
    if (this.#hostOf.has(lane)) return true;
    if (this.#taken.of(host) >= this.#max) {
      this.#waiting.set(host, (this.#waiting.get(host) ?? new Set()).add(lane));
      this.#lanes.add(lane);
      return false;
    }
    this.#taken.add(host, 1);
    this.#hostOf.set(lane, host);
    return true;
  }

  /** Whether `lane` waits for a place; {@link free} returns it when it gets one. */
  isWaiting(lane: string): boolean {
    return this.#lanes.has(lane);
  }

  /** Whether a lane waits for a place at `host`. */
  isWanted(host: string): boolean {
    return this.#waiting.has(host);
  }

  /** Gives back the place of `lane`, if it has one; returns the lane that gets it. */
  free(lane: string): string | undefined {
    const host = this.#hostOf.get(lane);
    if (host === undefined) return undefined;
    this.#hostOf.delete(lane);
    const next = this.#next(host);
    if (next !== undefined) {
      this.#hostOf.set(next, host);
      return next;
    }
    this.#taken.add(host, -1);
    return undefined;
  }

  #next(host: string): string | undefined {
    const waiting = this.#waiting.get(host);
    const [lane] = waiting ?? [];
    if (waiting === undefined || lane === undefined) return undefined;
    waiting.delete(lane);
    this.#lanes.delete(lane);
    if (waiting.size === 0) this.#waiting.delete(host);
    return lane;
  }
}
