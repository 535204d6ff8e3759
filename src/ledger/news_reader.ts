/** Reads the last thing told that was not read yet; waits for one where there is none. */
import type { ExportRecord } from "../exports/record.ts";
import type { RecordReader } from "./ledger.ts";

type Result = Awaited<ReturnType<RecordReader["read"]>>;

export class NewsReader implements RecordReader {
  readonly #onEnd: () => void;
  #news: ExportRecord | undefined;
  #reading: ((result: Result) => void) | undefined;
  #ended = false;

  /** @param onEnd called once, when nothing more is to be told */
  constructor(first: ExportRecord, onEnd: () => void) {
    this.#news = first;
    this.#onEnd = onEnd;
  }

  /** Tells whoever reads now or next; what came before and was not read is skipped. */
  tell(record: ExportRecord): void {
    if (this.#reading === undefined) this.#news = record;
    else this.#reading({ done: false, value: record });
    this.#reading = undefined;
  }

  read(): Promise<Result> {
    const value = this.#news;
    this.#news = undefined;
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#reading = resolve);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    this.#reading?.({ done: true, value: undefined });
  }

  cancel(): Promise<void> {
    this.end();
    return Promise.resolve();
  }
}
