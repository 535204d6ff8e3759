/**
 * What was committed last, so that an app that asks for it soon after costs no read of the store. A
 * shortcut only: what is not here is in the store, and a new start knows nothing. Right where one
 * process writes to a store, as it must be with a file.
 */
import type { ExportRecord, Finished } from "../exports/record.ts";
import { RECENT_ANSWER_BYTES_MAX, RECENT_EXPORTS_MAX } from "../limits.ts";

interface Noted {
  readonly record: ExportRecord;
  /** The destination's answer, if there is one and it is small. */
  readonly answer: Uint8Array | undefined;
}

export class Recent {
  readonly #max: number;
  /** By id, the one noted longest ago first. */
  readonly #noted = new Map<string, Noted>();

  constructor(max: number = RECENT_EXPORTS_MAX) {
    this.#max = max;
  }

  /** Takes note of what has just been committed. */
  note(record: ExportRecord, answer?: Uint8Array): void {
    const small = answer !== undefined && answer.byteLength <= RECENT_ANSWER_BYTES_MAX;
    this.#noted.delete(record.id);
    this.#noted.set(record.id, { record, answer: small ? answer : undefined });
    const [oldest] = this.#noted.keys();
    if (this.#noted.size > this.#max && oldest !== undefined) this.#noted.delete(oldest);
  }

  /** Nobody knows any more what the store holds of it: it must be read. */
  forget(id: string): void {
    this.#noted.delete(id);
  }

  record(id: string): ExportRecord | undefined {
    return this.#noted.get(id)?.record;
  }

  /** The answer that `record` tells of. */
  answer({ id, attempts }: Finished): Uint8Array | undefined {
    const noted = this.#noted.get(id);
    return noted?.record.attempts === attempts ? noted.answer : undefined;
  }
}
