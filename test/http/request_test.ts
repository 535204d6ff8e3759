import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  type ExportRequest,
  isIdempotencyKey,
  parseExportRequest,
  pollTimeoutMs,
  requestBytesMax,
} from "../../src/http/request.ts";

const URI = "https://export.amar.io/";
const ID = "7b0ea5b6-4ad3-4b6a-9f0e-0a1f6a2f1d11";
const NIL = "00000000-0000-0000-0000-000000000000";
const FIELDS = { id: "", uri: URI, data: `{"a":1}` };

function parse(body: string | Uint8Array): ExportRequest {
  return parseExportRequest(typeof body === "string" ? new TextEncoder().encode(body) : body, 128);
}

function parseFields(fields: Record<string, unknown>): ExportRequest {
  return parse(JSON.stringify({ ...FIELDS, ...fields }));
}

/** What is to be delivered of a submission, as text; nothing if it is none. */
function payloadOf(request: ExportRequest): string | undefined {
  return request.kind === "submission" ? new TextDecoder().decode(request.payload) : undefined;
}

/** What a caller is told is wrong; empty if nothing is. */
function faultOf(request: ExportRequest): string {
  return request.kind === "malformed" ? request.detail : "";
}

// New exports.

Deno.test("a body without an id asks for a new export", () => {
  assertEquals(parseFields({}), {
    kind: "submission",
    uri: URI,
    payload: new TextEncoder().encode(`{"a":1}`),
  });
});

Deno.test("the nil UUID as id asks for a new export too", () => {
  assertEquals(parseFields({ id: NIL }), parseFields({ id: "" }));
});

Deno.test("unknown fields are ignored, and the order of the fields is free", () => {
  const body = `{"x": {"id": 1}, "data": "[]", "uri": "${URI}", "ID": 7, "id": ""}`;
  assertEquals(parse(body), { kind: "submission", uri: URI, payload: new Uint8Array([91, 93]) });
});

Deno.test("of a field that is given twice the last one counts", () => {
  const body = `{"id":"x","uri":"a","data":"no","id":"","uri":"b","data":"[1]"}`;
  const request = parse(body);
  assertEquals(request.kind === "submission" && request.uri, "b");
  assertEquals(payloadOf(request), "[1]");
  assertEquals(parse(`{"data":"[]","data":7,"id":"","uri":"b"}`).kind, "malformed");
});

Deno.test("a field is found however its name is spelt, and wherever it is among others", () => {
  const before = String.raw`"x":["é",{"data":1}],"k":"\\"`;
  const body = String.raw`{${before},"\u0069\u0064":"","uri":"ü\n","d\u0061ta":"[\"\u00e9é\"]"}`;
  for (const text of [body, `\ufeff${body}`, body.replaceAll(/[éü]/g, "e")]) {
    const { uri, data } = JSON.parse(text.replace("\ufeff", ""));
    const request = parse(text);
    assertEquals(request.kind === "submission" && request.uri, uri);
    assertEquals(payloadOf(request), data);
  }
});

Deno.test("of what is nested too deep and not JSON, the caller is told what comes first", () => {
  assertStringIncludes(faultOf(parse(`{"id":${"[".repeat(128)}x`)), "nested deeper than 128");
  assertStringIncludes(faultOf(parse(`{"id":x${"[".repeat(128)}`)), "must be JSON in UTF-8");
  assertStringIncludes(faultOf(parseFields({ data: "[".repeat(129) })), "nested deeper than 128");
  assertStringIncludes(faultOf(parseFields({ data: "[".repeat(128) })), "It is not JSON.");
});

Deno.test("any text is taken as uri; what may be sent to is decided elsewhere", () => {
  for (const uri of ["", "no url", " https://a b/ ", "https://exämple.org/ü?x#y"]) {
    const request = parseFields({ uri });
    assertEquals(request.kind === "submission" && request.uri, uri);
  }
});

Deno.test("blanks around the body and a byte-order mark before it are no fault", () => {
  const body = JSON.stringify(FIELDS);
  for (const text of [` \r\n\t${body}\n`, `\ufeff${body}`]) {
    assertEquals(parse(text), parse(body));
  }
});

const verbatim: readonly string[] = [
  "{}",
  "[]",
  "[[[]]]",
  ` { "a" : 1 } \n`,
  "\t[1,\r\n2]",
  `{"n":12345678901234567890,"m":9007199254740993,"f":1.0,"e":1e400,"z":-0}`,
  `{"a":1,"a":2}`,
  `{"__proto__":{"a":1}}`,
  String.raw`{"e":"\u00e9\n\/\ud83d\ude00","half":"\ud800"}`,
  `{"e":"é😀\u007f\u2028"}`,
];

for (const data of verbatim) {
  Deno.test(`the data ${JSON.stringify(data)} is delivered as it is`, () => {
    assertEquals(payloadOf(parseFields({ data })), data);
  });
}

Deno.test("whatever an app has stringified is delivered byte for byte", () => {
  fc.assert(
    fc.property(fc.oneof(fc.array(fc.jsonValue()), fc.object()), (value) => {
      const data = JSON.stringify(value);
      assertEquals(payloadOf(parseFields({ data })), data);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a request may be as long as the longest data takes in any usual way of writing it", () => {
  const bytesMax = 1_048_576;
  const asciiOnly = (text: string) =>
    text.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  for (const piece of [String.raw`\"`, String.raw`\\`, "é", "ж", "中", "😀"]) {
    const bytes = new TextEncoder().encode(piece).length;
    const data = `["${piece.repeat((bytesMax - 4) / bytes)}"]`;
    const body = asciiOnly(JSON.stringify({ ...FIELDS, data }));
    assert(body.length <= requestBytesMax(bytesMax), `${piece}: ${body.length}`);
    assertEquals(payloadOf(parse(body)), data);
  }
});

// Polls.

Deno.test("an id asks for an earlier export", () => {
  assertEquals(parseFields({ id: ID }), { kind: "poll", uri: URI, id: ID });
});

Deno.test("an id in upper case is the same in lower case", () => {
  assertEquals(parseFields({ id: ID.toUpperCase() }), { kind: "poll", uri: URI, id: ID });
});

Deno.test("text that follows an id is ignored", () => {
  for (const rest of [" ", "-", "0", "/../x", "\n", "é"]) {
    assertEquals(parseFields({ id: ID + rest }), { kind: "poll", uri: URI, id: ID });
  }
});

Deno.test("an id of any UUID version will do", () => {
  const id = "ffffffff-ffff-ffff-ffff-ffffffffffff";
  assertEquals(parseFields({ id }), { kind: "poll", uri: URI, id });
});

Deno.test("a poll needs uri and data too, well-formed", () => {
  assertEquals(parse(JSON.stringify({ id: ID, uri: URI })).kind, "malformed");
  assertEquals(parse(JSON.stringify({ id: ID, data: "{}" })).kind, "malformed");
  assertEquals(parseFields({ id: ID, data: "nonsense" }).kind, "malformed");
});

for (
  const id of [
    " ",
    ` ${ID}`,
    ID.slice(0, -1),
    ID.replaceAll("-", ""),
    `{${ID}}`,
    `urn:uuid:${ID}`,
    ID.replace("7", "g"),
    ID.replace("-", "_"),
    "1",
    NIL.slice(1),
  ]
) {
  Deno.test(`the id ${JSON.stringify(id)} is none, and the caller is told what one is`, () => {
    assertEquals(parseFields({ id }), {
      kind: "malformed",
      id: undefined,
      detail: "`id` must be empty for a new export, or a UUID.",
    });
  });
}

// Faults.

for (
  const body of [
    "",
    " ",
    "{",
    `${JSON.stringify(FIELDS)} {}`,
    `{"id":""`,
    "id=&uri=",
    "{'id': ''}",
    "\u0000",
    "undefined",
  ]
) {
  Deno.test(`the body ${JSON.stringify(body)} is not JSON, and the caller is shown what is`, () => {
    const fault = faultOf(parse(body));
    assertStringIncludes(fault, "The body must be JSON in UTF-8 like {");
    const [example = ""] = /\{.*\}/.exec(fault) ?? [];
    assertEquals(parse(example).kind, "submission");
  });
}

Deno.test("a body that is not UTF-8 is not JSON", () => {
  const [before = "", after = ""] = JSON.stringify({ ...FIELDS, data: `["|"]` }).split("|");
  const bytes = (middle: number[]) =>
    Uint8Array.from(
      [...before, ...after].map((c) => c.charCodeAt(0))
        .toSpliced(before.length, 0, ...middle),
    );
  assertEquals(payloadOf(parse(bytes([0xc3, 0xa9]))), `["é"]`);
  for (const middle of [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe9]]) {
    assertStringIncludes(faultOf(parse(bytes(middle))), "The body must be JSON");
  }
});

for (const body of ["null", "true", "42", `""`, "[]", `["id","uri","data"]`]) {
  Deno.test(`the body ${body} is JSON, but no object, and the caller is shown one`, () => {
    const fault = faultOf(parse(body));
    assertStringIncludes(fault, "The body must be a JSON object like {");
    assertEquals(parse(fault.slice(fault.indexOf("{"), -1)).kind, "submission");
  });
}

for (const name of ["id", "uri", "data"]) {
  Deno.test(`without ${name} the caller is told that it is missing`, () => {
    const fault = faultOf(parseFields({ [name]: undefined }));
    assert(fault.startsWith(`\`${name}\` is missing: `), fault);
    assert(!fault.includes("\n"), fault);
  });

  for (const value of [null, 1, true, {}, [], { a: 1 }]) {
    Deno.test(`with ${JSON.stringify(value)} as ${name} the caller is told that it must be a string`, () => {
      const fault = faultOf(parseFields({ [name]: value }));
      assert(fault.startsWith(`\`${name}\` must be a string: `), fault);
      assertEquals(fault.includes(String.raw`"{\"a\": 1}"`), name === "data");
    });
  }
}

Deno.test("every missing or mistyped field is told at once", () => {
  const fault = faultOf(parse(`{"uri": 1}`));
  for (const part of ["`id` is missing", "`uri` must be a string", "`data` is missing"]) {
    assertStringIncludes(fault, part);
  }
});

Deno.test("a malformed request says which export it is about, where it names one", () => {
  const idOf = (fields: Record<string, unknown>) => {
    const request = parseFields(fields);
    return request.kind === "malformed" ? request.id : "well formed";
  };
  const faults = [{ data: "x" }, { data: undefined }, { data: 1, uri: undefined }];
  for (const fault of faults) {
    assertEquals(idOf({ id: `${ID.toUpperCase()}?`, ...fault }), ID);
    for (const id of ["", NIL, "bad", 1, undefined]) {
      assertEquals(idOf({ id, ...fault }), undefined);
    }
  }
  assertEquals(idOf({ id: "bad" }), undefined);
});

Deno.test("fields that an object has by inheritance are not fields of the body", () => {
  assertEquals(parse(`{"__proto__":${JSON.stringify(FIELDS)}}`).kind, "malformed");
});

for (
  const data of [
    "",
    " ",
    `"x"`,
    "42",
    "true",
    "null",
    "{oops",
    "{'a':1}",
    "{}{}",
    "[1,]",
    "\ufeff{}",
  ]
) {
  Deno.test(`the data ${JSON.stringify(data)} is no object or array, and the caller is told`, () => {
    const fault = faultOf(parseFields({ data }));
    assertStringIncludes(
      fault,
      "`data` must be a string that holds JSON text of an object or array",
    );
    assertStringIncludes(fault, String.raw`"{\"a\": 1}"`);
    assertEquals(fault.endsWith("It is not JSON."), !['"x"', "42", "true", "null"].includes(data));
    assertEquals(fault.endsWith("It holds a string: it was stringified twice."), data === '"x"');
  });
}

Deno.test("data with half a surrogate pair is refused, for no bytes can hold it", () => {
  for (const half of ["\ud800", "\udc00", "\udc00\ud800"]) {
    const fault = faultOf(parse(JSON.stringify({ ...FIELDS, data: `["${half}"]` })));
    assertStringIncludes(fault, "`data`");
    assertStringIncludes(fault, "half a surrogate pair");
  }
});

Deno.test("whatever is sent as a body, it is a submission, a poll, or a fault in words", () => {
  const words = fc.constantFrom("", ID, NIL, "{}", "[]", "x", null, 1, undefined);
  const fields = fc.record({ id: words, uri: words, data: words })
    .map((value) => new TextEncoder().encode(JSON.stringify(value)));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fields), (body) => {
      const request = parseExportRequest(body, 128);
      assertEquals(request.kind === "malformed", faultOf(request) !== "");
      if (request.kind === "malformed") assert(request.detail.endsWith("."), request.detail);
    }),
    { numRuns: 300 },
  );
});

// Waiting.

const timeouts: readonly (readonly [timeout: string | undefined, ms: number])[] = [
  [undefined, 5_000],
  ["", 5_000],
  [" ", 5_000],
  ["abc", 5_000],
  ["nan", 5_000],
  ["NaN", 5_000],
  ["inf", 5_000],
  ["5s", 5_000],
  ["1,5", 5_000],
  ["1 2", 5_000],
  ["0", 0],
  ["-0", 0],
  ["0.0", 0],
  ["-1", 0],
  ["-1e9", 0],
  ["0.5", 500],
  [".5", 500],
  ["1", 1_000],
  ["1e0", 1_000],
  ["0x1", 1_000],
  [" 1 ", 1_000],
  ["+2", 2_000],
  ["59.999", 59_999],
  ["60", 60_000],
  ["61", 60_000],
  ["1e9", 60_000],
  ["1e400", 60_000],
];

for (const [timeout, ms] of timeouts) {
  const asked = timeout === undefined ? "without a timeout" : `with a timeout of "${timeout}"`;
  Deno.test(`a long poll ${asked} waits ${ms} ms`, () => {
    assertEquals(pollTimeoutMs(timeout), ms);
  });
}

Deno.test("no timeout makes a poll wait longer than a minute or less than nothing", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.double().map(String)), (timeout) => {
      const ms = pollTimeoutMs(timeout);
      assert(ms >= 0 && ms <= 60_000, `${ms}`);
    }),
    { numRuns: 300 },
  );
});

// Idempotency keys.

const keys: readonly (readonly [key: string, permitted: boolean])[] = [
  [ID, true],
  ["x", true],
  ["!~", true],
  ["x".repeat(255), true],
  ["x".repeat(256), false],
  ["", false],
  ["a b", false],
  ["a\n", false],
  ["é", false],
  ["\u007f", false],
];

for (const [key, permitted] of keys) {
  const what = key.length > 40 ? `${key.length} characters` : JSON.stringify(key);
  Deno.test(`${what} may ${permitted ? "" : "not "}be an Idempotency-Key`, () => {
    assertEquals(isIdempotencyKey(key), permitted);
  });
}
