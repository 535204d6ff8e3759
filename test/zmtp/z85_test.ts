/** Z85 against the example of its RFC, a known pair of keys, and itself. */
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import nacl from "tweetnacl";
import { defined } from "../fakes/expect.ts";
import { decodeZ85 } from "../../src/zmtp/z85.ts";
import { encodeZ85 } from "./encode_z85.ts";

const HELLO = Uint8Array.of(0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b);

Deno.test("the example of the RFC is written and read as it says there", () => {
  assertEquals(encodeZ85(HELLO), "HelloWorld");
  assertEquals(decodeZ85("HelloWorld"), HELLO);
});

Deno.test("the published pair of keys of Databox is a pair", () => {
  const publicKey = "vl6wu0A@XP?}Or/&BR#LSxn>A+}L)p44/W[wXL3<";
  const secretKey = defined(decodeZ85("EKy(xjAnIfg6AT+OGd?nS1Mi5zZ&b*VXA@WxNLLE"));
  const pair = nacl.box.keyPair.fromSecretKey(secretKey);
  assertEquals(encodeZ85(pair.publicKey), publicKey);
  assertEquals(decodeZ85(publicKey), pair.publicKey);
  assertEquals(publicKey.length, 40);
});

Deno.test("all bytes survive being written and read", () => {
  const fours = fc.uint8Array({ maxLength: 64 })
    .map((bytes) => bytes.subarray(0, bytes.length - bytes.length % 4));
  fc.assert(fc.property(fours, (bytes) => {
    assertEquals(decodeZ85(encodeZ85(bytes)), Uint8Array.from(bytes));
  }));
});

Deno.test("what is read is written the same way: one byte string has one spelling", () => {
  fc.assert(fc.property(fc.string({ unit: "binary-ascii", maxLength: 20 }), (text) => {
    const bytes = decodeZ85(text);
    if (bytes !== undefined) assertEquals(encodeZ85(bytes), text);
  }));
});

const refused: readonly (readonly [what: string, text: string])[] = [
  ["a line end behind a key", "vl6wu0A@XP?}Or/&BR#LSxn>A+}L)p44/W[wXL3<\n"],
  ["a group cut short", "HelloWorl"],
  ["a letter too many", "HelloWorldH"],
  ["a blank", "Hello orld"],
  ["a letter of another alphabet", "Hellö"],
  ["a quotation mark", 'Hell"'],
  ["a pair of units that make one letter", "abc😀"],
  ["more than four bytes can hold, by one", "%nSc1"],
  ["more than four bytes can hold", "#####"],
];

for (const [what, text] of refused) {
  Deno.test(`${what} is no Z85`, () => assertEquals(decodeZ85(text), undefined));
}

Deno.test("the largest number of four bytes is read", () => {
  assertEquals(decodeZ85("%nSc0"), Uint8Array.of(255, 255, 255, 255));
  assertEquals(encodeZ85(Uint8Array.of(255, 255, 255, 255)), "%nSc0");
  assertEquals(decodeZ85("00000"), new Uint8Array(4));
  assertEquals(decodeZ85(""), new Uint8Array());
});

Deno.test("bytes that do not come in fours cannot be written", () => {
  assertThrows(() => encodeZ85(new Uint8Array(5)), RangeError, "5 bytes");
});

Deno.test("bytes in the middle of a larger buffer are read from where they are", () => {
  assertEquals(encodeZ85(Uint8Array.of(9, 9, 9, 9, ...HELLO).subarray(4)), "HelloWorld");
});
