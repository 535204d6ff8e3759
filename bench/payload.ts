/** The data of a benchmark export: JSON of 1,024 bytes or more that begins with a number. */
export const PAYLOAD_BYTES = 1_024;
const DIGITS = 10;
/** Large ones repeat this: its quotes are escaped and unescaped on the way. */
const SENTENCE = `"ten words of a text that says nothing at all to anybody",`;

export function payloadOf(number: number, bytes = PAYLOAD_BYTES): string {
  const head = `{"n":"${String(number).padStart(DIGITS, "0")}","filling":`;
  return `${head}${fillingOf(bytes - head.length - 1)}}`;
}

const fillings = new Map<number, string>();

function fillingOf(bytes: number): string {
  const known = fillings.get(bytes);
  if (known !== undefined) return known;
  const sentences = SENTENCE.repeat((bytes - 2) / SENTENCE.length).slice(0, -1);
  const filling = bytes < PAYLOAD_BYTES
    ? `"${"x".repeat(bytes - 2)}"`
    : `[${sentences}]`.padEnd(bytes);
  fillings.set(bytes, filling);
  return filling;
}

/** The number in what arrived; NaN if it is something else. */
export function numberIn(data: string): number {
  return data.startsWith(`{"n":"`) ? Number(data.slice(6, 6 + DIGITS)) : NaN;
}
