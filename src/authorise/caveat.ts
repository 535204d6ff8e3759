/**
 * The caveats this service understands, one grammar each. A text that is not exactly one of them is
 * unknown: no lists, no wildcards, no extra spaces. Never judges whether a caveat holds.
 */

export type Caveat =
  | { readonly kind: "target"; readonly value: string }
  | { readonly kind: "path"; readonly value: string }
  /** Lower case, see {@link lowerAscii}. */
  | { readonly kind: "method"; readonly value: string }
  | { readonly kind: "destination"; readonly value: string }
  /** Holds strictly before this time, milliseconds since the epoch. */
  | { readonly kind: "time"; readonly before: number }
  /** The most bytes `data` may have. */
  | { readonly kind: "max_bytes"; readonly bytes: number }
  | { readonly kind: "unknown" };

const UNKNOWN: Caveat = { kind: "unknown" };

export function readCaveat(text: string): Caveat {
  const [, head = "", value = ""] = /^(\S+ [=<]) (.*)$/s.exec(text) ?? [];
  switch (head) {
    case "target =":
      return { kind: "target", value };
    case "path =":
      return { kind: "path", value };
    case "destination =":
      return { kind: "destination", value };
    case "time <":
      return readTime(value);
    case "max_bytes =":
      return readBytes(value);
    default:
      // Databox has always compared the whole text of this one without regard to case.
      return lowerAscii(head) === "method ="
        ? { kind: "method", value: lowerAscii(value) }
        : UNKNOWN;
  }
}

/** Lower-cases A to Z only: Unicode's rules would turn the Kelvin sign into a plain k. */
export function lowerAscii(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** RFC 3339 with a zone, in upper case and without leap seconds, which no clock here can show. */
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

function readTime(value: string): Caveat {
  if (!RFC_3339.test(value)) return UNKNOWN;
  try {
    // Digits below the millisecond are dropped, so the caveat ends less than a millisecond early.
    return { kind: "time", before: Temporal.Instant.from(value).epochMilliseconds };
  } catch {
    return UNKNOWN; // 30 February, 25 o'clock.
  }
}

function readBytes(value: string): Caveat {
  const bytes = /^(?:0|[1-9]\d*)$/.test(value) ? Number(value) : NaN;
  // Beyond the safe integers a number would be rounded, possibly upwards.
  return Number.isSafeInteger(bytes) ? { kind: "max_bytes", bytes } : UNKNOWN;
}
