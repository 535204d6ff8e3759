/** The data of an export of the benchmark: 1,024 bytes of JSON that begin with a number. */
const BYTES = 1_024;
const DIGITS = 10;

export function payloadOf(number: number): string {
  const head = `{"n":"${String(number).padStart(DIGITS, "0")}","filling":"`;
  return head.padEnd(BYTES - 2, "x") + `"}`;
}

/** The number in what arrived; NaN if it is something else. */
export function numberIn(data: string): number {
  return data.startsWith(`{"n":"`) ? Number(data.slice(6, 6 + DIGITS)) : NaN;
}
