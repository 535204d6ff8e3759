/**
 * How deep a JSON text is nested, told before anybody parses it: whoever walks the parsed value
 * later may use a stack. Judges nothing else; a text that is no JSON is for the parser.
 */

/** Whether objects and arrays are nested more than `max` deep in `json`, a text's UTF-8. */
export function isDeeperThan(json: Uint8Array, max: number): boolean {
  let depth = 0;
  let inString = false;
  for (let n = 0; n < json.length; n++) {
    const code = json[n];
    if (inString) {
      if (code === BACKSLASH) n++;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === OPEN_ARRAY || code === OPEN_OBJECT) {
      if (++depth > max) return true;
    } else if (code === CLOSE_ARRAY || code === CLOSE_OBJECT) depth--;
  }
  return false;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
