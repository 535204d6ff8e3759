/**
 * Requests as nobody would make them, near enough to good ones to get deep: bodies, tokens, heads,
 * and the bytes of whole requests and WebSocket frames.
 */
import fc from "fast-check";

const encoder = new TextEncoder();

/** A text that is well known somewhere, or any. */
const oddText = fc.oneof(
  fc.constantFrom("", "\u0000", "\uD800", "null", "__proto__", "constructor", "é", "\u2028", "%00"),
  fc.string({ unit: "binary", maxLength: 30 }),
  fc.webUrl(),
);

const anything = fc.oneof(oddText, fc.anything({ maxDepth: 2, maxKeys: 3 }), fc.double());

/** JSON text, or what looks like it. */
const jsonText = fc.oneof(
  fc.json({ maxDepth: 4 }),
  fc.constantFrom(
    "{}",
    "[]",
    "[1e999]",
    '{"a":1}',
    "[".repeat(200),
    '{"__proto__":{}}',
    "\uFEFF[]",
  ),
  oddText,
);

/** Bytes of a body; `ids` and `uris` are known to the service. */
export function arbitraryBody(
  { ids, uris }: { readonly ids: readonly string[]; readonly uris: readonly string[] },
): fc.Arbitrary<Uint8Array> {
  const known = (texts: readonly string[]) => fc.constantFrom(...texts);
  const member = (usual: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 30, arbitrary: usual }, { weight: 1, arbitrary: anything });
  const fields = fc.record({
    id: member(fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom("", "00000000-0000-0000-0000-000000000000") },
      { weight: 2, arbitrary: known(ids) },
      { weight: 1, arbitrary: fc.uuid() },
    )),
    uri: member(known(uris)),
    data: member(fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom("{}", "[1]", '{"a":"é"}') },
      { weight: 1, arbitrary: jsonText },
    )),
    more: anything,
  }, { requiredKeys: ["id", "uri", "data"] });
  const text = fc.oneof(
    { weight: 9, arbitrary: fields.map(stringify) },
    { weight: 1, arbitrary: jsonText },
  ).map((text) => encoder.encode(text));
  return fc.oneof(
    { weight: 9, arbitrary: text },
    { weight: 2, arbitrary: mutated(text) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) },
  );
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value) ?? "";
  } catch {
    return "a BigInt or a circle";
  }
}

/** The same bytes with a piece cut out and another put in. */
export function mutated(bytes: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.constantFrom("\r\n", "\r\n\r\n", "\u0000", " ", ":", ",", '"', "\\", "{", "}", "é")
      .map((text) => encoder.encode(text)),
  );
  return fc.tuple(bytes, fc.nat(), fc.nat(8), piece).map(([bytes, at, count, piece]) => {
    const cut = at % (bytes.length + 1);
    return joined(bytes.subarray(0, cut), piece, bytes.subarray(cut + count));
  });
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

export const arbitraryMethod = fc.oneof(
  { weight: 20, arbitrary: fc.constant("POST") },
  {
    weight: 3,
    arbitrary: fc.constantFrom("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "post", "TRACE"),
  },
  { weight: 1, arbitrary: fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/) },
);

const timeout = fc.oneof(
  fc.constantFrom("", "0", "-1", "1e9", "nan", "inf", "0.5", "5", "%00", "1&timeout=0"),
  fc.double().map(String),
);

export const arbitraryPath = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom("/export", "/lp/export", "/lp/export", "/ws/export") },
  { weight: 3, arbitrary: timeout.map((timeout) => `/lp/export?timeout=${timeout}`) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      "/",
      "//",
      "/health/live",
      "/health/ready",
      "/export/",
      "/EXPORT",
      "/lp/%65xport",
      "/lp/../export",
      "/export%00",
      "/export;a",
      "/%",
      "/%zz",
      "/.env",
      "/export?" + "a=b&".repeat(100),
      `/${"x".repeat(9_000)}`,
    ),
  },
  { weight: 1, arbitrary: fc.webPath({ size: "small" }) },
);

const headerName = fc.oneof(
  fc.constantFrom(
    "idempotency-key",
    "content-type",
    "content-length",
    "transfer-encoding",
    "content-encoding",
    "accept",
    "expect",
    "connection",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "authorization",
    "cookie",
    "x-forwarded-for",
    "x-http-method-override",
    "range",
    "__proto__",
  ),
  fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/),
);

const headerValue = fc.oneof(
  fc.constantFrom("", "websocket", "upgrade", "13", "100-continue", "chunked", "gzip", "0", "-1"),
  fc.constantFrom("99999999999999999999", "Basic Og==", "Basic ====", "Bearer x", "x".repeat(300)),
  fc.stringMatching(/^[\x20-\x7e\xa0-\xff]{0,40}$/),
);

/** Header lines; the same name may come more than once. */
export const arbitraryHeaders = fc.array(fc.tuple(headerName, headerValue), { maxLength: 5 });

/** A WebSocket frame as bytes; most are masked, as a client's must be. */
export function arbitraryFrame(payload: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const odd = <T>(usual: T, others: fc.Arbitrary<T>) =>
    fc.oneof({ weight: 9, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: others });
  const closing = fc.tuple(fc.integer({ min: 0, max: 5_000 }), fc.uint8Array({ maxLength: 130 }))
    .map(([code, reason]) => joined(Uint8Array.of(code >> 8, code & 0xff), reason));
  const parts = fc.record({
    first: fc.oneof(
      { weight: 12, arbitrary: fc.constant(0x81) },
      { weight: 3, arbitrary: fc.constantFrom(0x01, 0x80, 0x00, 0x82, 0x89, 0x8a) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
    ),
    masked: odd(true, fc.constant(false)),
    mask: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    payload: fc.oneof({ weight: 9, arbitrary: payload }, { weight: 1, arbitrary: closing }),
    closes: odd(false, fc.constant(true)),
    lie: odd(0, fc.integer({ min: -3, max: 70_000 })),
  });
  return parts.map(({ first, masked, mask, payload, closes, lie }) => {
    const length = Math.max(0, payload.length + lie);
    const bit = masked ? 0x80 : 0;
    const head = length < 126
      ? [bit | length]
      : length < 65_536
      ? [bit | 126, length >> 8, length & 0xff]
      : [bit | 127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 0xff, length & 0xff];
    const key = masked ? mask : Uint8Array.of(0, 0, 0, 0);
    const body = payload.map((byte, n) => byte ^ (key[n % 4] ?? 0));
    const opening = Uint8Array.of(closes ? 0x88 : first, ...head);
    return joined(opening, masked ? mask : new Uint8Array(), body);
  });
}
