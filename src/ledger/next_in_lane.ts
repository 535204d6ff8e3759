/**
 * Exports accepted while their lane was being worked, or had no hand or place yet, so that taking
 * one up soon after needs no read. Only a cache, like `recent.ts`: what is not here is in the
 * store, and what has changed since has another version there.
 */
import { NEXT_IN_LANE_BYTES_MAX, NEXT_IN_LANE_MAX } from "./store_limits.ts";
import type { Held } from "./ledger.ts";

/** The place before the first one of a lane. */
export const FRONT = 0;

export class NextInLane {
  readonly #max: number;
  /** By lane and the place before theirs, oldest first. */
  readonly #held = new Map<string, Held>();
  readonly #payloads = new WeakMap<Held, Uint8Array>();
  /** The last place that was handed out in a lane. */
  readonly #last = new Map<string, number>();

  constructor(max: number = NEXT_IN_LANE_MAX) {
    this.#max = max;
  }

  /** Notes that a place of a lane was handed out; returns the one before it, if known. */
  follow(lane: string, order: number, isFirst: boolean): number | undefined {
    const before = isFirst ? FRONT : this.#last.get(lane);
    this.#last.set(lane, order);
    return before;
  }

  /** Keeps what was accepted behind the place `before`, unless its payload is long. */
  note(held: Held, payload: Uint8Array, before: number | undefined): void {
    if (before === undefined || payload.byteLength > NEXT_IN_LANE_BYTES_MAX) return;
    this.#held.set(keyOf(held.record.lane, before), held);
    this.#payloads.set(held, payload);
    const [oldest] = this.#held.keys();
    if (this.#held.size > this.#max && oldest !== undefined) this.#held.delete(oldest);
  }

  /** The export behind the place `before` in the lane, if kept here. */
  behind(lane: string, before: number): Held | undefined {
    // Usually nothing waits, and no key has to be built.
    return this.#held.size === 0 ? undefined : this.#held.get(keyOf(lane, before));
  }

  /** Drops the export behind that place, which is being changed. */
  forget(lane: string, before: number): void {
    if (this.#held.size > 0) this.#held.delete(keyOf(lane, before));
  }

  /** The export at that place is finished: the one behind it comes to the front. */
  advance(lane: string, order: number): void {
    const next = this.behind(lane, order);
    if (next === undefined) return;
    this.forget(lane, order);
    this.#held.set(keyOf(lane, FRONT), next);
  }

  /** Nothing is in the lane any more. */
  leave(lane: string): void {
    this.#last.delete(lane);
    this.forget(lane, FRONT);
  }

  /** The payload of an export that is kept here. */
  payload(held: Held): Uint8Array | undefined {
    return this.#payloads.get(held);
  }
}

function keyOf(lane: string, before: number): string {
  return `${lane} ${before}`;
}
