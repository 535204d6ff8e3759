/** Durations and sizes as people write them: `30s`, `24h`, `1MiB`. Pure. */

const DURATION_MS: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
  ["d", 86_400_000],
]);

const SIZE_BYTES: ReadonlyMap<string, number> = new Map([
  ["B", 1],
  ["KiB", 1_024],
  ["MiB", 1_048_576],
  ["GiB", 1_073_741_824],
  ["kB", 1_000],
  ["MB", 1_000_000],
]);

/** `text` in milliseconds, or `undefined` if it is not a number with a unit of time. */
export function parseDuration(text: string): number | undefined {
  return parseWithUnit(text, DURATION_MS);
}

/** `text` in bytes, or `undefined` if it is not a number with a unit of size. */
export function parseSize(text: string): number | undefined {
  return parseWithUnit(text, SIZE_BYTES);
}

/** `ms` in the largest unit that gives a whole number: 90,000 is `90s`, 120,000 is `2m`. */
export function formatDuration(ms: number): string {
  return formatWithUnit(ms, ["d", "h", "m", "s"], DURATION_MS, "ms");
}

/** `bytes` in the largest binary unit that gives a whole number. */
export function formatSize(bytes: number): string {
  return formatWithUnit(bytes, ["GiB", "MiB", "KiB"], SIZE_BYTES, "B");
}

function parseWithUnit(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const factor = units.get(unit ?? "");
  return factor === undefined ? undefined : Math.round(Number(number) * factor);
}

function formatWithUnit(
  value: number,
  names: readonly string[],
  units: ReadonlyMap<string, number>,
  smallest: string,
): string {
  const unit = names.find((name) => value > 0 && value % (units.get(name) ?? NaN) === 0);
  return unit === undefined ? `${value}${smallest}` : `${value / (units.get(unit) ?? 1)}${unit}`;
}
