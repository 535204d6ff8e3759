/** Zest, byte for byte as recorded, and whatever else may come. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Buffer } from "node:buffer";
import { ARBITER_TOKEN_BYTES_MAX, NAME_BYTES_MAX } from "../../src/arbiter/arbiter_limits.ts";
import { decodeAnswer, encodeGetSecret, type ZestFault } from "../../src/arbiter/zest.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const hex = (text: string) => Uint8Array.fromHex(text.replaceAll(" ", ""));

Deno.test("the question for the secret has the bytes that arbiters were recorded to take", () => {
  const encoded = encodeGetSecret(utf8("secret"), "export-service");
  assertEquals(encoded, {
    kind: "encoded",
    bytes: hex(
      "01030006736563726574000b000d2f73746f72652f7365637265740003000e6578706f72742d73657276696365" +
        "000c00020032",
    ),
  });
});

Deno.test("token and name go in as they are, whatever bytes they have", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  fc.assert(fc.property(bytes, fc.string({ unit: "grapheme", maxLength: 40 }), (token, name) => {
    const encoded = encodeGetSecret(token, name);
    assert(encoded.kind === "encoded");
    if (encoded.kind !== "encoded") return;
    const host = Buffer.from(name);
    const expected = Buffer.concat([
      Uint8Array.of(1, 3, token.length >> 8, token.length & 255),
      token,
      Buffer.from("\0\x0b\0\x0d/store/secret"),
      Uint8Array.of(0, 3, host.length >> 8, host.length & 255),
      host,
      Uint8Array.of(0, 12, 0, 2, 0, 50),
    ]);
    assertEquals(encoded.bytes.toHex(), expected.toString("hex"));
  }));
});

Deno.test("a token or a name above its limit is told, not cut", () => {
  const longest = encodeGetSecret(
    new Uint8Array(ARBITER_TOKEN_BYTES_MAX),
    "n".repeat(NAME_BYTES_MAX),
  );
  assertEquals(longest.kind, "encoded");
  assertEquals(encodeGetSecret(new Uint8Array(ARBITER_TOKEN_BYTES_MAX + 1), "n"), {
    kind: "failed",
    code: "token_too_long",
  });
  assertEquals(encodeGetSecret(new Uint8Array(), "ü".repeat(NAME_BYTES_MAX / 2 + 1)), {
    kind: "failed",
    code: "name_too_long",
  });
});

const contents: readonly (readonly [what: string, bytes: string, payload: string])[] = [
  [
    "the recorded success",
    "45010000000c0002000062303631386636652d313533382d343639372d623433352d306562653637353831613465",
    "b0618f6e-1538-4697-b435-0ebe67581a4e",
  ],
  ["a success without options", "45000000 6162", "ab"],
  ["a success with options of no meaning", "45020000 07d00003010203 00000000 6162", "ab"],
  ["a success with nothing in it", "45010000 000c00020000", ""],
];

for (const [what, bytes, payload] of contents) {
  Deno.test(`${what} is a content`, () => {
    assertEquals(decodeAnswer(hex(bytes)), { kind: "content", payload: utf8(payload) });
  });
}

const failures:
  readonly (readonly [what: string, bytes: string, code: ZestFault, number?: number])[] = [
    ["a bad request", "80000000", "bad_request", 128],
    ["a wrong token or an unknown name", "81000000", "unauthorized", 129],
    ["code 134", "86000000", "not_acceptable", 134],
    ["code 141", "8d000000", "request_too_long", 141],
    ["code 143", "8f000000", "content_format_unsupported", 143],
    ["an internal error", "a0000000", "internal_error", 160],
    ["an arbiter that cannot", "a3000000", "unavailable", 163],
    ["created", "41000000", "secret_missing", 65],
    ["deleted", "42000000", "secret_missing", 66],
    ["a code nobody knows", "84000000", "refusal_unknown", 132],
    ["a code of zero", "00000000", "refusal_unknown", 0],
    ["nothing", "", "answer_malformed"],
    ["a byte", "45", "answer_malformed", 69],
    ["three bytes", "810000", "answer_malformed", 129],
    ["three bytes of a success", "450000", "answer_malformed", 69],
    ["an error with a byte behind it", "8100000000", "answer_malformed", 129],
    ["an error with an option", "81010000", "answer_malformed", 129],
    ["a success with a token", "450000016162", "answer_malformed", 69],
    ["an option cut in its number", "4501000000", "answer_malformed", 69],
    ["an option cut in its length", "45010000000c00", "answer_malformed", 69],
    ["an option cut in its value", "45010000000c000200", "answer_malformed", 69],
    ["an option of 65535 bytes", "45010000000cffff6162", "answer_malformed", 69],
    ["fewer options than it says", "45020000000c00020000", "answer_malformed", 69],
  ];

for (const [what, bytes, code, number] of failures) {
  Deno.test(`${what} is a failure: ${code}`, () => {
    assertEquals(decodeAnswer(hex(bytes)), { kind: "failed", code, number });
  });
}

Deno.test("whatever comes, it is a content or a failure", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.uint8Array({ maxLength: 60 }).map((rest) => Uint8Array.of(69, 2, 0, 0, ...rest)),
  );
  fc.assert(fc.property(bytes, (answer) => {
    const read = decodeAnswer(answer);
    assert(["content", "failed"].includes(read.kind));
    if (read.kind === "content") assert(read.payload.length <= answer.length - 4);
  }));
});
