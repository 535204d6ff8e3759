import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Caveat, lowerAscii, readCaveat } from "../../src/authorise/caveat.ts";

const NEW_YEAR = Date.UTC(2030, 0, 1);

const understood: readonly (readonly [string, Caveat])[] = [
  ["target = export-service", { kind: "target", value: "export-service" }],
  ["target =  x ", { kind: "target", value: " x " }],
  ["target = a = b", { kind: "target", value: "a = b" }],
  ["target = x\u0000", { kind: "target", value: "x\u0000" }],
  ["target = x\n", { kind: "target", value: "x\n" }],
  ["path = /lp/*", { kind: "path", value: "/lp/*" }],
  ["path = ", { kind: "path", value: "" }],
  ["destination = ", { kind: "destination", value: "" }],
  ["destination = https://exämple.org/ü", {
    kind: "destination",
    value: "https://exämple.org/ü",
  }],
  ['destination = ["https://a/","https://b/"]', {
    kind: "destination",
    value: '["https://a/","https://b/"]',
  }],
  ["method = POST", { kind: "method", value: "post" }],
  ["Method = pOsT", { kind: "method", value: "post" }],
  ["METHOD = İ", { kind: "method", value: "İ" }],
  ["time < 2030-01-01T00:00:00Z", { kind: "time", before: NEW_YEAR }],
  ["time < 2030-01-01T02:00:00+02:00", { kind: "time", before: NEW_YEAR }],
  ["time < 2029-12-31T16:00:00-08:00", { kind: "time", before: NEW_YEAR }],
  ["time < 2030-01-01T00:00:00-00:00", { kind: "time", before: NEW_YEAR }],
  ["time < 2030-01-01T00:00:00.5Z", { kind: "time", before: NEW_YEAR + 500 }],
  ["time < 2030-01-01T00:00:00.000999999Z", { kind: "time", before: NEW_YEAR }],
  ["time < 2028-02-29T00:00:00Z", { kind: "time", before: Date.UTC(2028, 1, 29) }],
  ["time < 0000-01-01T00:00:00Z", { kind: "time", before: -62_167_219_200_000 }],
  ["time < 9999-12-31T23:59:59Z", { kind: "time", before: Date.UTC(9999, 11, 31, 23, 59, 59) }],
  ["max_bytes = 0", { kind: "max_bytes", bytes: 0 }],
  ["max_bytes = 10", { kind: "max_bytes", bytes: 10 }],
  ["max_bytes = 9007199254740991", { kind: "max_bytes", bytes: Number.MAX_SAFE_INTEGER }],
];

const unknown: readonly string[] = [
  "",
  " ",
  "target",
  "target =",
  "target=x",
  "target  = x",
  " target = x",
  "\uFEFFtarget = x",
  "target\t= x",
  "target\u00A0= x",
  "target < x",
  "Target = x",
  "tаrget = x", // A Cyrillic а.
  "Path = /",
  "DESTINATION = x",
  "method=POST",
  "method  = POST",
  "method < POST",
  "__proto__ = x",
  "constructor = x",
  "toString = x",
  "admin = true",
  "observe = read",
  "rate = 0/60",
  "network = lan",
  "time = 2030-01-01T00:00:00Z",
  "time <= 2030-01-01T00:00:00Z",
  "time < ",
  "time < NaN",
  "time < 1893456000000",
  "time < 2030-01-01",
  "time < 2030-01-01T00:00:00",
  "time < 2030-01-01T00:00Z",
  "time < 2030-01-01 00:00:00Z",
  "time < 2030-01-01T00:00:00Z ",
  "time < 2030-01-01T00:00:00Z\n",
  "time <  2030-01-01T00:00:00Z",
  "time < 2030-01-01t00:00:00z",
  "time < 2030-01-01T00:00:00+0200",
  "time < 2030-01-01T00:00:00+24:00",
  "time < 2030-01-01T00:00:00Z[UTC]",
  "time < 2030-01-01T00:00:00.Z",
  "time < 2030-01-01T00:00:00.0000000000Z",
  "time < 2030-02-29T00:00:00Z",
  "time < 2030-13-01T00:00:00Z",
  "time < 2030-01-01T24:00:00Z",
  "time < 2030-06-30T23:59:60Z",
  "time < 2030-01-01T00:00:00+00:60",
  "time < 2030-01-01T00:00:00\u221202:00", // A minus that is no hyphen.
  "time < 2030-01-01T00:00:00,5Z",
  "time < 2030-01-01T00:00:00Z\u0000",
  "time < ２０３０-01-01T00:00:00Z", // Digits of full width.
  "time < 2030-00-01T00:00:00Z",
  "time < 2030-01-00T00:00:00Z",
  "time < 2030-W01-1T00:00:00Z",
  "time < 2030-001T00:00:00Z",
  "time < 20300101T000000Z",
  "time < 2016-12-31T23:59:60Z", // It was.
  "time < 2030-01-01T00:00:00z",
  "time < 2030-01-01t00:00:00Z",
  "time < 2030-01-01T00:00:00 Z",
  "time < 02030-01-01T00:00:00Z",
  "time < 30-01-01T00:00:00Z",
  "time > 2030-01-01T00:00:00Z",
  "Time < 2030-01-01T00:00:00Z",
  "time < 999999999-01-01T00:00:00Z",
  "time < +012030-01-01T00:00:00Z",
  "time < -000001-01-01T00:00:00Z",
  "max_bytes = ",
  "max_bytes = 010",
  "max_bytes = +1",
  "max_bytes = -1",
  "max_bytes = 1.0",
  "max_bytes = 1e9",
  "max_bytes = 0x10",
  "max_bytes = 1_000",
  "max_bytes = 1,000",
  "max_bytes = 1n",
  "max_bytes = 00",
  "max_bytes = -0",
  "max_bytes = NaN",
  "max_bytes = Infinity",
  "max_bytes = １０", // Digits of full width.
  "max_bytes = 1 MiB",
  "max_bytes = 1\u0000",
  "max_bytes =  1",
  "MAX_BYTES = 1",
  "max_bytes = 10 ",
  "max_bytes = 10\n",
  "max_bytes = ١٠", // Arabic digits.
  "max_bytes = 9007199254740992",
  "max_bytes = 99999999999999999999",
  "max_bytes < 10",
];

for (const [text, caveat] of understood) {
  Deno.test(`the caveat ${JSON.stringify(text)} is understood as ${caveat.kind}`, () => {
    assertEquals(readCaveat(text), caveat);
  });
}

for (const text of unknown) {
  Deno.test(`the caveat ${JSON.stringify(text)} is unknown`, () => {
    assertEquals(readCaveat(text), { kind: "unknown" });
  });
}

Deno.test("only A to Z have a lower case", () => {
  assertEquals(lowerAscii("POST Ünicode \u212A"), "post Ünicode \u212A");
});

Deno.test("the value of a plain caveat is all that follows its name, whatever that is", () => {
  const kind = fc.constantFrom("target", "path", "destination");
  fc.assert(fc.property(kind, fc.string({ unit: "binary" }), (kind, value) => {
    assertEquals(readCaveat(`${kind} = ${value}`), { kind, value });
  }));
});

Deno.test("every time that the clock can write as RFC 3339 is read back to the millisecond", () => {
  const date = fc.date({
    min: new Date("0000-01-01T00:00:00Z"),
    max: new Date("9999-12-31T23:59:59.999Z"),
    noInvalidDate: true,
  });
  fc.assert(fc.property(date, (date) => {
    assertEquals(readCaveat(`time < ${date.toISOString()}`), {
      kind: "time",
      before: date.getTime(),
    });
  }));
});

Deno.test("a time is what its digits say, or unknown if no calendar and no clock have them", () => {
  const digits = (max: number, width = 2) =>
    fc.integer({ min: 0, max }).map((n) => `${n}`.padStart(width, "0"));
  const parts = fc.tuple(
    digits(9_999, 4),
    digits(13),
    digits(32),
    digits(25),
    digits(61),
    digits(61),
    fc.constantFrom("Z", "+00:00", "-00:00", "+23:59", "-12:34", "+24:00", "+01:60"),
  );
  fc.assert(
    fc.property(parts, ([year, month, day, hour, minute, second, zone]) => {
      const [, sign, hours, minutes] = /^([+-])(..):(..)$/.exec(zone) ?? ["", "+", "00", "00"];
      const local = new Date(0);
      local.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
      local.setUTCHours(Number(hour), Number(minute), Number(second));
      const exists = local.toISOString().slice(0, 19) ===
          `${year}-${month}-${day}T${hour}:${minute}:${second}` &&
        Number(hours) < 24 && Number(minutes) < 60;
      const offset = (Number(hours) * 60 + Number(minutes)) * (sign === "+" ? 60_000 : -60_000);
      const text = `time < ${year}-${month}-${day}T${hour}:${minute}:${second}${zone}`;
      assertEquals(
        readCaveat(text),
        exists ? { kind: "time", before: local.getTime() - offset } : { kind: "unknown" },
      );
    }),
    { numRuns: 3_000 },
  );
});

Deno.test("a budget is a number as a program writes it, or unknown", () => {
  const value = fc.oneof(
    fc.maxSafeNat().map(String),
    fc.bigInt({ min: -10n, max: 10n ** 20n }).map(String),
    fc.double().map(String),
    fc.string({ unit: "grapheme", maxLength: 5 }),
  );
  fc.assert(fc.property(value, (value) => {
    const bytes = Number(value);
    const plain = Number.isSafeInteger(bytes) && !Object.is(bytes, -0) && bytes >= 0 &&
      value === String(bytes);
    const caveat: Caveat = plain ? { kind: "max_bytes", bytes } : { kind: "unknown" };
    assertEquals(readCaveat(`max_bytes = ${value}`), caveat);
  }));
});
