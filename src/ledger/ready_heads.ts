/**
 * Heads of lanes as they were accepted while there was no hand or no place at their host, so that
 * whoever takes one up soon after reads nothing. A shortcut only, as in `recent.ts`: what is not here
 * is in the store, and what was changed since has another version there.
 */
import { READY_HEADS_MAX, READY_PAYLOAD_BYTES_MAX } from "../limits.ts";
import type { Held } from "./ledger.ts";

export class ReadyHeads {
  readonly #max: number;
  /** By lane, the one noted longest ago first. */
  readonly #heads = new Map<string, Held>();
  readonly #payloads = new WeakMap<Held, Uint8Array>();

  constructor(max: number = READY_HEADS_MAX) {
    this.#max = max;
  }

  /** Takes note of what has just been accepted to an empty lane, unless its payload is long. */
  note(held: Held, payload: Uint8Array): void {
    if (payload.byteLength > READY_PAYLOAD_BYTES_MAX) return;
    this.#heads.set(held.record.lane, held);
    this.#payloads.set(held, payload);
    const [oldest] = this.#heads.keys();
    if (this.#heads.size > this.#max && oldest !== undefined) this.#heads.delete(oldest);
  }

  /** The head of that lane is being changed. */
  forget(lane: string): void {
    this.#heads.delete(lane);
  }

  head(lane: string): Held | undefined {
    return this.#heads.get(lane);
  }

  /** What is to be delivered of one of these. */
  payload(held: Held): Uint8Array | undefined {
    return this.#payloads.get(held);
  }
}
