/**
 * Lines that come close together are written together: each write wakes the reader, which costs
 * more than the line itself, and the caller would wait for it. Never changes a line or their order.
 */
import type { Clock } from "../clock.ts";

export interface Lines {
  /** Takes a line, to be written within {@link GATHER_MS}. */
  write(line: string): void;
  /** Writes at once what was taken. */
  flush(): void;
}

/** Long enough for what belongs to one commit, too short for anybody to miss a line. */
const GATHER_MS = 1;

/**
 * @param write writes a text and a line end; a text that it cannot write, such as into a pipe whose
 * reader has gone, is lost, without further consequences
 */
export function gatherLines(write: (text: string) => void, clock: Clock): Lines {
  let taken: string[] = [];
  const flush = () => {
    if (taken.length === 0) return;
    const text = taken.join("\n");
    taken = [];
    try {
      write(text);
    } catch {
      // There is nowhere to report this.
    }
  };
  return {
    flush,
    write(line) {
      if (taken.push(line) === 1) clock.after(GATHER_MS, flush);
    },
  };
}
