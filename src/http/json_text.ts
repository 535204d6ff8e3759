/**
 * Judges a JSON text by its bytes: whether `JSON.parse` would take it, how deep it is nested, what
 * it holds, and where certain members are. Never builds a value, since keys can be chosen so that
 * this takes many times as long as reading them, and never recurses. Never judges whether
 * bytes of 0x80 and above are UTF-8: it takes them in strings, and nowhere else.
 */

/** Where a value is: from its first byte to the one after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type JsonVerdict =
  | { readonly kind: "not_json" }
  /** What follows has not been looked at. */
  | { readonly kind: "too_deep" }
  | {
    readonly kind: "json";
    readonly top: "object" | "array" | "string" | "other";
    /** Of the object at the top, in the order of the names asked for. */
    readonly members: readonly (Span | undefined)[];
  };

/**
 * Reads `json` once, and finds the members of the object at its top that have one of `names`, which
 * consist of ASCII letters; of several with one name, the last. Objects and arrays may be nested
 * `depthMax` deep: whichever fault comes first is told.
 */
export function judgeJson(
  json: Uint8Array,
  depthMax: number,
  names: readonly string[] = [],
): JsonVerdict {
  const members: (Span | undefined)[] = names.map(() => undefined);
  /** What ends the objects and arrays that are open; `end` is the last of it. */
  const ends: number[] = [];
  let end = NONE;
  /** Which of the names the member at the top has, and where its value starts. */
  let named = NONE;
  let start = 0;
  const fours = new DataView(json.buffer, json.byteOffset, json.byteLength);
  const first = afterBlanks(json, 0);
  for (let n = first;;) {
    if (end === CLOSE_OBJECT) {
      const value = afterName(json, fours, n);
      if (value === INVALID) return NOT_JSON;
      if (ends.length === 1) {
        named = nameAt(json, n + 1, names);
        start = value;
      }
      n = value;
    }
    const code = json[n];
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      if (ends.length >= depthMax) return TOO_DEEP;
      end = code === OPEN_OBJECT ? CLOSE_OBJECT : CLOSE_ARRAY;
      ends.push(end);
      n = afterBlanks(json, n + 1);
      if (json[n] !== end) continue;
    } else {
      n = afterScalar(json, fours, n);
      if (n === INVALID) return NOT_JSON;
    }
    // What ends here is a value, or an empty object or array is about to.
    for (;; n++) {
      if (ends.length === 1 && named !== NONE) members[named] = { start, end: n };
      n = afterBlanks(json, n);
      if (json[n] !== end) break;
      ends.pop();
      end = ends[ends.length - 1] ?? NONE;
    }
    if (end === NONE) {
      return n === json.length ? { kind: "json", top: topOf(json[first]), members } : NOT_JSON;
    }
    if (json[n] !== COMMA) return NOT_JSON;
    n = afterBlanks(json, n + 1);
  }
}

function topOf(code: number | undefined) {
  if (code === OPEN_OBJECT) return "object";
  if (code === OPEN_ARRAY) return "array";
  return code === QUOTE ? "string" : "other";
}

// Each of these answers with the place after what it reads, or INVALID.

function afterBlanks(json: Uint8Array, from: number): number {
  for (let n = from;; n++) {
    const code = json[n] ?? END;
    if (code > SPACE || (code !== SPACE && code !== LF && code !== CR && code !== TAB)) return n;
  }
}

/** A member's name and its colon, with blanks. */
function afterName(json: Uint8Array, fours: DataView, from: number): number {
  const end = json[from] === QUOTE ? afterString(json, fours, from + 1) : INVALID;
  if (end === INVALID) return INVALID;
  const colon = afterBlanks(json, end);
  return json[colon] === COLON ? afterBlanks(json, colon + 1) : INVALID;
}

function afterScalar(json: Uint8Array, fours: DataView, from: number): number {
  const code = json[from];
  if (code === QUOTE) return afterString(json, fours, from + 1);
  if (code === LOWER_T) return afterWord(json, from, "true");
  if (code === LOWER_F) return afterWord(json, from, "false");
  if (code === LOWER_N) return afterWord(json, from, "null");
  return afterNumber(json, from);
}

/** The rest of a string, its opening quote being read: by fours, as long as all are plain. */
function afterString(json: Uint8Array, fours: DataView, from: number): number {
  let n = from;
  for (;;) {
    while (n + 4 <= json.length && arePlain(fours.getInt32(n))) n += 4;
    const code = json[n++] ?? END;
    if (code === QUOTE) return n;
    if (code === BACKSLASH) {
      n = afterEscape(json, n);
      if (n === INVALID) return INVALID;
    } else if (code < SPACE) return INVALID;
  }
}

/** Whether none of four bytes is a quote, a backslash or a control character. */
function arePlain(four: number): boolean {
  const quotes = four ^ 0x22222222;
  const backslashes = four ^ 0x5c5c5c5c;
  // To subtract from a byte sets its highest bit if it was less; those of 0x80 and above have it.
  const less = ((quotes - 0x01010101) & ~quotes) | ((backslashes - 0x01010101) & ~backslashes) |
    ((four - 0x20202020) & ~four);
  return (less & 0x80808080) === 0;
}

/** The rest of an escape, its backslash being read. */
function afterEscape(json: Uint8Array, from: number): number {
  const code = json[from] ?? END;
  if (code === LOWER_U) return codeUnit(json, from + 1) === INVALID ? INVALID : from + 5;
  return ESCAPES.includes(code) ? from + 1 : INVALID;
}

function afterWord(json: Uint8Array, from: number, word: string): number {
  for (let n = 0; n < word.length; n++) {
    if (json[from + n] !== word.charCodeAt(n)) return INVALID;
  }
  return from + word.length;
}

function afterNumber(json: Uint8Array, from: number): number {
  let n = json[from] === MINUS ? from + 1 : from;
  n = json[n] === ZERO ? n + 1 : afterDigits(json, n);
  if (n !== INVALID && json[n] === DOT) n = afterDigits(json, n + 1);
  if (n === INVALID || (json[n] !== LOWER_E && json[n] !== UPPER_E)) return n;
  const isSigned = json[n + 1] === PLUS || json[n + 1] === MINUS;
  return afterDigits(json, isSigned ? n + 2 : n + 1);
}

/** One digit or more. */
function afterDigits(json: Uint8Array, from: number): number {
  let n = from;
  while (isDigit(json[n] ?? END)) n++;
  return n === from ? INVALID : n;
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= NINE;
}

/** The number that four hexadecimal digits are, or INVALID. */
function codeUnit(json: Uint8Array, from: number): number {
  let unit = 0;
  for (let n = from; n < from + 4; n++) {
    const code = json[n] ?? END;
    const letter = code | 0x20;
    if (isDigit(code)) unit = unit * 16 + code - ZERO;
    else if (letter >= LOWER_A && letter <= LOWER_F) unit = unit * 16 + letter - LOWER_A + 10;
    else return INVALID;
  }
  return unit;
}

/** Which of `names` begins at `from`, in a valid string, and ends with it. */
function nameAt(json: Uint8Array, from: number, names: readonly string[]): number {
  for (let which = 0; which < names.length; which++) {
    if (isName(json, from, names[which] ?? "")) return which;
  }
  return NONE;
}

/** Letters may be written as they are, or by number. */
function isName(json: Uint8Array, from: number, name: string): boolean {
  let n = from;
  for (let i = 0; i < name.length; i++) {
    const letter = name.charCodeAt(i);
    if (json[n] === letter) n++;
    else if (json[n] !== BACKSLASH || json[n + 1] !== LOWER_U) return false;
    else if (codeUnit(json, n + 2) !== letter) return false;
    else n += 6;
  }
  return json[n] === QUOTE;
}

const NOT_JSON = { kind: "not_json" } as const;
const TOO_DEEP = { kind: "too_deep" } as const;

const INVALID = -1;
const NONE = -1;
/** What is read after the last byte: no text may have it anywhere. */
const END = 0;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const UPPER_E = 0x45;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_A = 0x61;
const LOWER_E = 0x65;
const LOWER_F = 0x66;
const LOWER_N = 0x6e;
const LOWER_T = 0x74;
const LOWER_U = 0x75;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** What may follow a backslash, but for `u`. */
const ESCAPES = Array.from(`"\\/bfnrt`, (letter) => letter.charCodeAt(0));
