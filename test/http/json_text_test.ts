import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type JsonVerdict, judgeJson } from "../../src/http/json_text.ts";
import { joined, mutated } from "../fakes/arbitrary_requests.ts";
import { longRun } from "../fakes/long_run.ts";

const encoder = new TextEncoder();
/** A byte-order mark is a character like any other here. */
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NAMES = ["id", "uri", "data"];

function judge(text: string, depthMax = 1_000): JsonVerdict {
  return judgeJson(encoder.encode(text), depthMax, NAMES);
}

/** What `JSON.parse` makes of `text`, wrapped; nothing if it refuses it. */
function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function topOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "object" && value !== null) return "object";
  return typeof value === "string" ? "string" : "other";
}

/** The members of `value` that are asked for, in their order, wrapped; nothing where one is not. */
function membersOf(value: unknown) {
  const members = new Map(topOf(value) === "object" ? Object.entries(Object(value)) : []);
  return NAMES.map((name) => members.has(name) ? { value: members.get(name) } : undefined);
}

/** The verdict on `bytes` must be that of `JSON.parse` in all that it says. */
function assertAsParsed(bytes: Uint8Array): void {
  const verdict = judgeJson(bytes, Infinity, NAMES);
  const result = parsed(utf8.decode(bytes));
  assertEquals(verdict.kind, result === undefined ? "not_json" : "json");
  if (verdict.kind !== "json" || result === undefined) return;
  assertEquals(verdict.top, topOf(result.value));
  const found = verdict.members.map((span) =>
    span && { value: JSON.parse(utf8.decode(bytes.subarray(span.start, span.end))) }
  );
  assertEquals(found, membersOf(result.value));
}

// What is JSON, and what is not.

const blanks = ["", " ", "\t", "\n", "\r", " \t\r\n  "];
const scalars = [
  ...["true", "false", "null", "0", "-0", "7", "-7", "10", "1234567890", "12345678901234567890"],
  ...["0.0", "-0.10", "1.5", "0e0", "0E+1", "1e5", "1E5", "1e+5", "1e-05", "-1.25E-10", "1e999"],
  ...[`""`, `"a"`, `" "`, `"\u007f"`, `"\u0080"`, `"é中😀"`, `"\u2028\u2029"`, `"\ufeff"`, `"//"`],
  ...[String.raw`"\"\\\/\b\f\n\r\t"`, String.raw`"\\"`, String.raw`"\\\""`, String.raw`"[{,:]}"`],
  ...[String.raw`"\u0000\u001F\uabcd\uABCD\uFfFf"`, String.raw`"\ud83d\ude00"`],
  ...[String.raw`"\ud800"`, String.raw`"\udc00\ud800"`, String.raw`"\u0022\u005c"`],
];
const valid = [
  ...scalars,
  ...["[]", "{}", "[[]]", "[{}]", "[[],[]]", "[1,2]", `{"a":1}`, `{"a":{}}`, `{"a":[],"b":{}}`],
  ...[`{"":0}`, `{"a":1,"a":2}`, `{"__proto__":[]}`, `[0,[1,{"a":[null]}],"]"]`, `[""]`, `[-0]`],
  ...["[true,false,null]", `{"a":"}","b":"{"}`, "[".repeat(300) + "]".repeat(300)],
  ...[`${`{"a":`.repeat(300)}1${"}".repeat(300)}`],
];

const invalid = [
  // Values that are none, and words.
  ...["", " ", "\t\n", ",", ":", "]", "}", "tru", "True", "truee", "nul", "nulL", "fals", "NaN"],
  ...["undefined", "Infinity", "-Infinity", "-", "x", "'a'", "`a`", "// x\n1", "1 // x", "/**/1"],
  // Numbers.
  ...["01", "-01", "00", "-00", "1.", "-1.", ".5", "-.5", "+1", "--1", "1e", "1E+", "1e-", "1.e1"],
  ...["1e1.5", "1..2", "1.2.3", "0x1", "1_0", "1 2", "- 1", "1e 1", "0e", "1a", "1n", "１", "2.e"],
  ...["1e++1", "-e1", "1.5.", "012", "-x", "1,", "1e5e5", "-0x"],
  // Strings.
  ...[`"`, `"a`, `a"`, `"\\"`, `"\\`, `"a""`, `"\n"`, `"\t"`, `"\u0000"`, `"\u001f"`, `""""`],
  ...[String.raw`"\a"`, String.raw`"\x41"`, String.raw`"\'"`, String.raw`"\U0041"`, `"\\\n"`],
  ...[String.raw`"\0"`, String.raw`"\v"`, String.raw`"\é"`, String.raw`"\u"`, String.raw`"\u123"`],
  ...[String.raw`"\u12g4"`, String.raw`"\uD8G0"`, String.raw`"\u 123"`, String.raw`"\u{41}"`],
  ...[String.raw`"\u123`, String.raw`"\u-123"`, String.raw`"\u12"34"`, String.raw`"\\\"`],
  ...[String.raw`"\u:000"`, String.raw`"\u/000"`, String.raw`"\u@000"`],
  // Arrays.
  ...["[", "[[", "]", "[]]", "[1", "[1,", "[,", "[,]", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1:2]"],
  ...[
    "[}",
    "[1}",
    "[[]",
    `["a":1]`,
    "[]]",
    "[][]",
    "[1;2]",
    "(1)",
    "[\u0000]",
    "[1]\u0000",
    "[1]x",
  ],
  // Objects.
  ...["{", "{{", "{]", "{}}", "{1}", "{a:1}", "{'a':1}", "{1:1}", `{"a"}`, `{"a":}`, `{"a":1,}`],
  ...[`{"a":1`, `{"a":`, `{"a"`, `{"a`, `{,}`, `{,"a":1}`, `{"a":1,,"b":1}`, `{"a" 1}`, `{"a",1}`],
  ...[`{"a":1 "b":2}`, `{"a":1]`, `{"a"::1}`, `{:1}`, `{"a":1:2}`, `{null:1}`, `{{}:1}`, `{[]:1}`],
  ...[`{"\n":1}`, `{"\\x":1}`, `{"a":{}`, `{}{}`, `{},`, `{"a":1}}`, `{"a":[}`, `{"a":1,2}`],
  // Blanks that are none, and what is not within strings.
  ...[
    "\ufeff1",
    "\ufeff{}",
    "\u000b1",
    "\u000c1",
    "1\u00a0",
    "\u20281",
    "\u00851",
    "1\u0000",
    "\b1",
  ],
  ...["[\u000b]", "é", "[é]", "{é:1}", "[1\u00a0]", "\u0000", "1\u001f", "\u00201\u200b"],
];

for (const text of valid) {
  Deno.test(`${JSON.stringify(text.slice(0, 50))} is JSON, and what it says is told`, () => {
    assert(parsed(text) !== undefined, "the table is wrong");
    for (const blank of blanks) {
      assertAsParsed(encoder.encode(blank + text + blank));
      assertAsParsed(encoder.encode(`[${blank}${text}${blank},${blank}${text}${blank}]`));
      assertAsParsed(encoder.encode(`{${blank}"id"${blank}:${blank}${text}${blank}}${blank}`));
    }
  });
}

for (const text of invalid) {
  Deno.test(`${JSON.stringify(text.slice(0, 50))} is not JSON`, () => {
    assert(parsed(text) === undefined, "the table is wrong");
    assertEquals(judge(text).kind, "not_json");
    for (const around of [`[|]`, `{"id":|}`, ` |`]) assertAsParsed(bytesOf(around, text));
  });
}

function bytesOf(around: string, text: string): Uint8Array {
  return encoder.encode(around.replace("|", () => text));
}

for (const end of ["", '"']) {
  Deno.test(`every byte, alone in a string that ends with <${end}>, is judged as by JSON.parse`, () => {
    for (let code = 0; code < 0x80; code++) {
      for (const before of ["", "\\", "\\u000", "\\u00"]) {
        assertAsParsed(encoder.encode(`"${before}${String.fromCharCode(code)}${end}`));
      }
      assertAsParsed(encoder.encode(`${String.fromCharCode(code)}1`));
      assertAsParsed(encoder.encode(`1${String.fromCharCode(code)}`));
    }
  });
}

Deno.test("bytes of 0x80 and above are taken in strings, and nowhere else", () => {
  for (let code = 0x80; code <= 0xff; code++) {
    const around = (before: string, after: string) =>
      judgeJson(joined(encoder.encode(before), Uint8Array.of(code), encoder.encode(after)), 9, []);
    assertEquals(around('"', '"').kind, "json");
    assertEquals(around("[", "]").kind, "not_json");
    assertEquals(around('"\\', '"').kind, "not_json");
  }
});

Deno.test("a long string is read as strictly as a short one, at every place in it", () => {
  const long = 2_000;
  const pieces = [
    '"',
    "\\",
    "\\\\",
    "\\n",
    "\u0000",
    "\u001f",
    " ",
    "!",
    "#",
    "[",
    "]",
    "\u007f",
    "é",
  ];
  // Where the reading by fours begins is within these.
  for (const at of Array.from({ length: 40 }, (_, n) => 500 + n).concat(long - 2, long - 1, long)) {
    for (const piece of pieces) {
      const text = `["${"x".repeat(at)}${piece}${"y".repeat(long - at)}",1]`;
      assertAsParsed(encoder.encode(text));
      assertAsParsed(encoder.encode(`["${"é".repeat(at)}${piece}`));
    }
  }
});

Deno.test("a text may lie anywhere in its memory", () => {
  const text = `{"id":"${"x".repeat(3_000)}","data":[]}`;
  for (let before = 0; before < 5; before++) {
    const all = encoder.encode(`${'"'.repeat(before)}${text}"`);
    assertAsParsed(all.subarray(before, before + text.length));
    assertAsParsed(all.subarray(before, before + 1_000));
  }
});

// How deep it is nested.

/** The depth of a parsed value, by a way that needs no text. */
function depthOf(value: unknown): number {
  return typeof value === "object" && value !== null
    ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
    : 0;
}

const depths: readonly (readonly [json: string, depth: number])[] = [
  ["", 0],
  ["7", 0],
  [`"[[[["`, 0],
  [`"\\"[[[["`, 0],
  [`"\\\\"`, 0],
  ["[]", 1],
  [`[{}, "]", {"a": [1]}, "}"]`, 3],
  [`{"\\\\": ["\\\\\\"{"]}`, 2],
  ["[[],[],[]]", 2],
  [`{"a":[[]],"a":1}`, 3],
  [`{"a":{"a":{}}}`, 3],
  ["[".repeat(1_000), 1_000],
  [`${'{"":'.repeat(1_000)}`, 1_000],
];

for (const [json, depth] of depths) {
  Deno.test(`${JSON.stringify(json.slice(0, 30))} is nested ${depth} deep`, () => {
    const isTooDeep = (depthMax: number) => judge(json, depthMax).kind === "too_deep";
    assertEquals(isTooDeep(depth), false);
    assertEquals(isTooDeep(depth - 1), depth > 0);
  });
}

Deno.test("of two faults the first one is told", () => {
  assertEquals(judge("[[x", 1).kind, "too_deep");
  assertEquals(judge("[x[", 1).kind, "not_json");
  assertEquals(judge("]][[", 1).kind, "not_json");
});

Deno.test("the depth of any JSON text is that of its value", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 8 }), fc.integer({ min: 0, max: 9 }), (json, max) => {
    const deeper = depthOf(JSON.parse(json)) > max;
    assertEquals(judge(json, max).kind, deeper ? "too_deep" : "json");
  }));
});

// Members.

const named: readonly (readonly [json: string, texts: readonly (string | undefined)[]])[] = [
  ["{}", [undefined, undefined, undefined]],
  [`{"data":{"id":[]},"id":1 ,"uri": "a" }`, ["1", `"a"`, `{"id":[]}`]],
  [`{"id":1,"id":22}`, ["22", undefined, undefined]],
  [`{"id":{},"id":[1]}`, ["[1]", undefined, undefined]],
  [`{"id":[],"id":{}}`, ["{}", undefined, undefined]],
  [`{"x":{"id":1},"y":[{"id":2}]}`, [undefined, undefined, undefined]],
  [`{"id":1,"x":{"id":2}}`, ["1", undefined, undefined]],
  [`[{"id":1}]`, [undefined, undefined, undefined]],
  [`"id"`, [undefined, undefined, undefined]],
  [String.raw`{"\u0069d":1,"ur\u0069":2,"\u0064\u0061\u0074\u0061":3}`, ["1", "2", "3"]],
  [String.raw`{"\u0075\u0072\u0069":2,"d\u0061ta":3}`, [undefined, "2", "3"]],
  [String.raw`{"id":1,"\u0069\u0064":2}`, ["2", undefined, undefined]],
  [String.raw`{"\u0069d":1,"id":2}`, ["2", undefined, undefined]],
  [String.raw`{"\u0049d":1,"\u0069d ":2,"\\u0069d":3,"i\u0064\u0000":4,"\u6900d":5}`, [
    undefined,
    undefined,
    undefined,
  ]],
  [`{"i":1,"idd":2,"Id":3,"":4,"ur":5,"dat":6,"dataa":7,"xid":8,"i\\\\d":9,"id\\"":10}`, [
    undefined,
    undefined,
    undefined,
  ]],
];

for (const [json, texts] of named) {
  Deno.test(`the members of ${json} are found`, () => {
    const verdict = judge(json);
    const spans = verdict.kind === "json" ? verdict.members : [];
    assertEquals(spans.map((span) => span && json.slice(span.start, span.end)), texts);
    assertAsParsed(encoder.encode(json));
  });
}

Deno.test("any letter may be written by number, in either case, and by nothing else", () => {
  const names = ["jklmnoJKLMNOzZ"];
  const isFound = (name: string) => {
    const verdict = judgeJson(encoder.encode(`{"${name}":1}`), 1, names);
    return verdict.kind === "json" && verdict.members[0] !== undefined;
  };
  for (const name of names) {
    const numbers = Array.from(name, (letter) => letter.charCodeAt(0).toString(16));
    assert(isFound(numbers.map((number) => `\\u00${number}`).join("")));
    assert(isFound(numbers.map((number) => `\\u00${number.toUpperCase()}`).join("")));
    for (const other of ["\\u10", "\\u01", "\\n00", "\\\\00", "u00", "00"]) {
      assert(!isFound(`${other}${numbers[0]}${name.slice(1)}`), other);
      assert(!isFound(`${name.slice(0, -1)}${other}${numbers.at(-1)}`), other);
    }
  }
});

// Any text.

interface Rendered {
  readonly text: string;
  readonly depth: number;
}

const blank = fc.constantFrom("", "", "", "", " ", "\n", "\r\n\t", "  ");
const hex = fc.nat(0xffff).map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`);
const piece = fc.oneof(
  fc.constantFrom(..."abiduratdIUX 0{}[],:é中😀\u007f\u2028"),
  fc.constantFrom(...[
    '\\"',
    "\\\\",
    "\\/",
    "\\b",
    "\\f",
    "\\n",
    "\\r",
    "\\t",
    "\\u0069",
    "\\uD83d",
  ]),
  hex,
);
const string = fc.array(piece, { maxLength: 5 }).map((pieces) => `"${pieces.join("")}"`);
const letters = (name: string) =>
  fc.tuple(
    ...Array.from(name, (letter) =>
      fc.constantFrom(letter, letter, letter, `\\u00${letter.charCodeAt(0).toString(16)}`)),
  )
    .map((letters) =>
      `"${letters.join("")}"`
    );
const name = fc.oneof(string, ...NAMES.map(letters), fc.constantFrom('"__proto__"', '"0"', '"k"'));
const number = fc.stringMatching(/^-?(0|[1-9]\d{0,3})(\.\d{1,3})?([eE][+-]?\d{1,3})?$/);

/** JSON texts of every spelling, and how deep each is nested. */
const { value: rendered } = fc.letrec<{ value: Rendered; array: Rendered; object: Rendered }>(
  (tie) => {
    const scalar = fc.oneof(fc.constantFrom("true", "false", "null"), number, string)
      .map((text) => ({ text, depth: 0 }));
    const spaced = fc.tuple(blank, tie("value"), blank)
      .map(([before, { text, depth }, after]) => ({ text: before + text + after, depth }));
    const member = fc.tuple(blank, name, blank, spaced).map(([before, name, after, value]) => ({
      text: `${before}${name}${after}:${value.text}`,
      depth: value.depth,
    }));
    const around = (open: string, close: string) => ([inside, parts]: [string, Rendered[]]) => ({
      text: open + (parts.length === 0 ? inside : parts.map(({ text }) => text).join(",")) + close,
      depth: 1 + Math.max(0, ...parts.map(({ depth }) => depth)),
    });
    return {
      value: fc.oneof({ depthSize: "small" }, scalar, tie("object"), tie("array")),
      array: fc.tuple(blank, fc.array(spaced, { maxLength: 4 })).map(around("[", "]")),
      object: fc.tuple(blank, fc.array(member, { maxLength: 6 })).map(around("{", "}")),
    };
  },
);
const stringified = fc.tuple(fc.jsonValue(), fc.constantFrom(undefined, 1, "\t"))
  .map(([value, space]) => JSON.stringify(value, null, space));
const anyText = fc.oneof(
  { weight: 3, arbitrary: rendered.map(({ text }) => text) },
  { weight: 1, arbitrary: stringified },
).map((text) => encoder.encode(text));

Deno.test("any JSON text is judged as JSON.parse does, wherever it is nested, whatever its spelling", () => {
  fc.assert(
    fc.property(anyText, (bytes) => {
      assert(parsed(utf8.decode(bytes)) !== undefined, "the text is wrong");
      assertAsParsed(bytes);
    }),
    longRun("JSON texts"),
  );
});

Deno.test("any JSON text is as deep as it was built", () => {
  fc.assert(
    fc.property(rendered, ({ text, depth }) => {
      assertEquals(judge(text, depth).kind, "json");
      assertEquals(judge(text, depth - 1).kind, depth > 0 ? "too_deep" : "json");
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("any mutation of a JSON text is judged as JSON.parse does", () => {
  const oneByte = fc.oneof(
    fc.constantFrom(...Array.from('"\\/{}[],:-+.0123456789eEtfnu \t\n\r\u0000\u001f')),
    fc.nat(0x7f).map((code) => String.fromCharCode(code)),
    fc.constantFrom("é", "\ufeff", ""),
  ).map((text) => encoder.encode(text));
  const changed = fc.tuple(anyText, fc.nat(), fc.nat(1), oneByte).map(([bytes, at, count, put]) => {
    const cut = at % (bytes.length + 1);
    return joined(bytes.subarray(0, cut), put, bytes.subarray(cut + count));
  });
  let refused = 0;
  fc.assert(
    fc.property(fc.oneof({ weight: 4, arbitrary: changed }, mutated(anyText)), (bytes) => {
      fc.pre(isUtf8(bytes));
      assertAsParsed(bytes);
      if (judgeJson(bytes, Infinity, []).kind === "not_json") refused++;
    }),
    longRun("mutations of JSON texts"),
  );
  assert(refused > 0);
});

function isUtf8(bytes: Uint8Array): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

// What it costs.

/** How often `judgeJson` looks at something of the bytes of `text`. */
function looksAt(text: string): number {
  let looks = 0;
  const watched = new Proxy(encoder.encode(text), {
    get(bytes, key) {
      looks++;
      return Reflect.get(bytes, key);
    },
  });
  judgeJson(watched, 1_000, NAMES);
  return looks;
}

const repeated: readonly (readonly [what: string, text: (count: number) => string])[] = [
  ["numbers", (count) => `[${"1,".repeat(count)}1]`],
  ["small objects", (count) => `[${`{"k":1},`.repeat(count)}1]`],
  ["members that are looked for", (count) => `{${`"id":1,`.repeat(count)}"x":1}`],
  [
    "escaped names",
    (count) => String.raw`{${String.raw`"\u0064\u0061\u0074":1,`.repeat(count)}"x":1}`,
  ],
  ["backslashes", (count) => `["${"\\\\".repeat(count)}"]`],
  ["quotes", (count) => `["${'\\"'.repeat(count)}"]`],
  ["characters", (count) => `"${"x".repeat(count)}"`],
  ["digits", (count) => "1".repeat(count)],
  ["blanks", (count) => " ".repeat(count)],
  ["short strings", (count) => `[${`"",`.repeat(count)}1]`],
  ["brackets", (count) => "[".repeat(Math.min(count, 1_000)) + "]".repeat(Math.min(count, 1_000))],
];

for (const [what, text] of repeated) {
  Deno.test(`twice as many ${what} are twice the work, and no byte is looked at often`, () => {
    const [once, twice] = [looksAt(text(500)), looksAt(text(1_000))];
    assert(twice <= 2 * once + 20, `${twice} for ${once}`);
    assert(twice <= 15 * text(1_000).length, `${twice} looks at ${text(1_000).length} bytes`);
  });
}
