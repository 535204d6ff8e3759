/**
 * How deep a JSON text is nested, determined before it is parsed: code that walks the parsed value
 * later may recurse. Judges nothing else; a text that is not JSON is left to the parser.
 */

/** Whether objects and arrays are nested more than `max` deep in `json`, a text in UTF-8. */
export function isDeeperThan(json: Uint8Array, max: number): boolean {
  let depth = 0;
  for (let n = 0; n < json.length; n++) {
    const code = json[n];
    if (code === QUOTE) n = endOfString(json, n + 1);
    else if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
      if (++depth > max) return true;
    } else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) depth--;
  }
  return false;
}

/** The end of the string that begins at `from`: the next unescaped quote. */
function endOfString(json: Uint8Array, from: number): number {
  for (let end = json.indexOf(QUOTE, from); end !== -1; end = json.indexOf(QUOTE, end + 1)) {
    // The quote before the string ends the count.
    let escapes = 0;
    while (json[end - escapes - 1] === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return json.length;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
