/** Assertions that the type checker understands; those of `@std/assert` come without types here. */
import type { ExportRecord, Finished } from "../../src/exports/record.ts";

/** `value`, which must be there. */
export function defined<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error("Expected something, found nothing");
  return value;
}

/** `record`, which must be finished. */
export function finished(record: ExportRecord | undefined): Finished {
  if (record?.state !== "finished") throw new Error(`Expected finished, found ${record?.state}`);
  return record;
}
