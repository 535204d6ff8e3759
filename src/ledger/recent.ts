/**
 * What was committed last, so that an app that polls soon after costs no read of the store, and one
 * that waits costs no watch. Only a cache: what is not here is in the store, and a restart begins
 * empty. Correct only if one process writes to the store, as must be the case with a file.
 */
import { Counts } from "../counts.ts";
import type { ExportRecord, Finished } from "../exports/record.ts";
import { RECENT_ANSWER_BYTES_MAX, RECENT_EXPORTS_MAX } from "./store_limits.ts";
import type { RecordListener } from "./ledger.ts";

interface Noted {
  readonly record: ExportRecord;
  /** The destination's answer, if there is one and it is small. */
  readonly answer: Uint8Array | undefined;
}

export class Recent {
  readonly #max: number;
  /** By id, oldest first. */
  readonly #noted = new Map<string, Noted>();
  /** Usually one per export: polls that wait for the same export share it. */
  readonly #listeners = new Map<string, readonly RecordListener[]>();
  /** Ids watched in the store, and how often: no listener may hear of them from here as well. */
  readonly #elsewhere = new Counts();

  constructor(max: number = RECENT_EXPORTS_MAX) {
    this.#max = max;
  }

  /** How many exports have listeners. */
  get watched(): number {
    return this.#listeners.size;
  }

  /** Keeps what was just committed, and passes it to its listeners. */
  note(record: ExportRecord, answer?: Uint8Array): void {
    const { id } = record;
    for (const listener of this.#listeners.get(id) ?? []) listener.tell(record);
    this.#noted.delete(id);
    if (this.#elsewhere.of(id) > 0) return;
    const small = answer !== undefined && answer.byteLength <= RECENT_ANSWER_BYTES_MAX;
    this.#noted.set(id, { record, answer: small ? answer : undefined });
    const [oldest] = this.#noted.keys();
    if (this.#noted.size > this.#max && oldest !== undefined) this.#noted.delete(oldest);
  }

  /** Drops an export whose state in the store is no longer known: it must be read. */
  lose(id: string): void {
    this.#noted.delete(id);
    const listeners = this.#listeners.get(id) ?? [];
    this.#listeners.delete(id);
    for (const listener of listeners) listener.end();
  }

  record(id: string): ExportRecord | undefined {
    return this.#noted.get(id)?.record;
  }

  /** The answer that belongs to `record`, if kept here. */
  answer({ id, attempts }: Finished): Uint8Array | undefined {
    const noted = this.#noted.get(id);
    return noted?.record.attempts === attempts ? noted.answer : undefined;
  }

  /** Reports an export, now `record`, until it is lost; the returned function stops that. */
  watch(id: string, record: ExportRecord, listener: RecordListener): () => void {
    this.#listeners.set(id, [...this.#listeners.get(id) ?? [], listener]);
    listener.tell(record);
    return () => {
      const others = this.#listeners.get(id)?.filter((one) => one !== listener) ?? [];
      if (others.length > 0) this.#listeners.set(id, others);
      else this.#listeners.delete(id);
    };
  }

  /** An export, unknown here, is watched in the store; the returned function ends that. */
  watchedElsewhere(id: string, stop: () => void): () => void {
    this.#elsewhere.add(id, 1);
    let isLeft = true;
    return () => {
      if (isLeft) this.#elsewhere.add(id, -1);
      isLeft = false;
      stop();
    };
  }
}
