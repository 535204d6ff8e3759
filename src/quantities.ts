/**
 * Settings that are numbers: durations, sizes and counts, each with its unit and its bounds. Faults
 * are worded to follow the setting's name. Never reads a setting itself.
 */
import { z } from "zod";
import { PAYLOAD_BYTES_CEILING } from "./limits.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

/** How a setting is printed at start, if not simply as its value. */
export const shown = z.registry<{ readonly show: (value: unknown) => unknown }>();

export function duration(preset: number, min: number, max: number) {
  return quantity(parseDuration, formatDuration, {
    ...{ preset, min, max },
    what: "a number with its unit, such as 30s or 24h",
  }).register(shown, { show: (value) => formatDuration(Number(value)) });
}

export function size(preset: number, min = 1, max = PAYLOAD_BYTES_CEILING) {
  return quantity(parseSize, formatSize, {
    ...{ preset, min, max },
    what: "a number with its unit, B, KiB, MiB, GiB, kB or MB, such as 512KiB or 1MiB",
  }).register(shown, { show: (value) => formatSize(Number(value)) });
}

export function count(preset: number, max: number) {
  const parse = (text: string) => /^\d+$/.test(text.trim()) ? Number(text) : undefined;
  return quantity(parse, String, { preset, min: 1, max, what: "a whole number, such as 8" });
}

function quantity(
  parse: (text: string) => number | undefined,
  format: (value: number) => string,
  bounds: {
    readonly preset: number;
    readonly min: number;
    readonly max: number;
    /** What the text must be. */
    readonly what: string;
  },
) {
  const { preset, min, max, what } = bounds;
  return z.string().default(format(preset)).transform((text, context) => {
    const value = parse(text);
    if (value === undefined) context.addIssue(`must be ${what}`);
    else if (value >= min && value <= max) return value;
    else context.addIssue(`must be between ${format(min)} and ${format(max)}`);
    return z.NEVER;
  });
}
