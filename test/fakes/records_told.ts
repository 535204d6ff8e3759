/** Hears of a watched export, and hands on what it was told, one record after the other. */
import type { ExportRecord } from "../../src/exports/record.ts";
import type { RecordListener } from "../../src/ledger/ledger.ts";

export class RecordsTold implements RecordListener {
  readonly #told: ExportRecord[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #wake = () => {};
  /** How often the end was told. */
  ends = 0;

  /** Resolves once the end is told. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  tell(record: ExportRecord): void {
    this.#told.push(record);
    this.#wake();
  }

  end(): void {
    this.ends++;
    this.#ended.resolve();
    this.#wake();
  }

  /** The states that were told and not taken yet; nothing more is waited for. */
  states(): string[] {
    return this.#told.splice(0).map(({ state }) => state);
  }

  /** The next record, once it is told. */
  async next(): Promise<ExportRecord> {
    for (;;) {
      const record = this.#told.shift();
      if (record !== undefined) return record;
      if (this.ends > 0) throw new Error("The watch has ended");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
