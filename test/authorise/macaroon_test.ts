import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { Buffer } from "node:buffer";
import {
  decodeMacaroon,
  deriveRootKey,
  isSignedBy,
  type TokenFault,
} from "../../src/authorise/macaroon.ts";
import {
  CAVEAT_BYTES_MAX,
  CAVEATS_MAX,
  TOKEN_CHARS_MAX,
} from "../../src/authorise/token_limits.ts";
import { decoded, packet, SECRET, sign, signed, tokenOf, verifies } from "./tokens.ts";

const LOCATION = packet("location", "");
const IDENTIFIER = packet("identifier", "app");
const PATH = packet("cid", "path = /export");
const METHOD = packet("cid", "method = POST");
const SIGNATURE = packet("signature", sign("app", "path = /export", "method = POST"));
const CAVEATS = [PATH, METHOD];
const GOOD = tokenOf(LOCATION, IDENTIFIER, ...CAVEATS, SIGNATURE);
const BROKEN_TEXT = Buffer.from([0x61, 0xff]);

const withLength = (digits: string, rest: Buffer) =>
  Buffer.concat([Buffer.from(digits), rest.subarray(4)]);

const refusals: Record<TokenFault, Record<string, string>> = {
  token_too_long: {
    "one character over the limit": "A".repeat(TOKEN_CHARS_MAX + 1),
  },
  token_too_many_caveats: {
    "one caveat over the limit": signed("", ...Array<string>(CAVEATS_MAX + 1).fill("path = /")),
  },
  token_caveat_too_long: {
    "a caveat one byte over the limit": signed("", "x".repeat(CAVEAT_BYTES_MAX + 1)),
    "a caveat over the limit in bytes, not in characters": signed(
      "",
      "ü".repeat(CAVEAT_BYTES_MAX / 2 + 1),
    ),
  },
  token_third_party: {
    "cid, vid, cl": tokenOf(
      LOCATION,
      IDENTIFIER,
      packet("cid", "ask"),
      packet("vid", "x"),
      packet("cl", "https://x/"),
      SIGNATURE,
    ),
    "vid, cl, cid": tokenOf(
      LOCATION,
      IDENTIFIER,
      packet("vid", "x"),
      packet("cl", "https://x/"),
      packet("cid", "ask"),
      SIGNATURE,
    ),
    "a vid alone": tokenOf(LOCATION, IDENTIFIER, packet("vid", BROKEN_TEXT), SIGNATURE),
    "a vid after the signature": tokenOf(LOCATION, IDENTIFIER, SIGNATURE, packet("vid", "x")),
  },
  token_malformed: {
    "nothing": "",
    "no location": tokenOf(IDENTIFIER, ...CAVEATS, SIGNATURE),
    "no identifier": tokenOf(LOCATION, ...CAVEATS, SIGNATURE),
    "no signature": tokenOf(LOCATION, IDENTIFIER, ...CAVEATS),
    "a location alone": tokenOf(LOCATION),
    "no caveat and no signature": tokenOf(LOCATION, IDENTIFIER),
    "identifier before location": tokenOf(IDENTIFIER, LOCATION, ...CAVEATS, SIGNATURE),
    "two locations": tokenOf(LOCATION, LOCATION, IDENTIFIER, ...CAVEATS, SIGNATURE),
    "two identifiers": tokenOf(LOCATION, IDENTIFIER, IDENTIFIER, ...CAVEATS, SIGNATURE),
    "two signatures": tokenOf(LOCATION, IDENTIFIER, ...CAVEATS, SIGNATURE, SIGNATURE),
    "a caveat after the signature": tokenOf(LOCATION, IDENTIFIER, PATH, SIGNATURE, METHOD),
    "a location among the caveats": tokenOf(LOCATION, IDENTIFIER, LOCATION, SIGNATURE),
    "an unknown packet": tokenOf(LOCATION, IDENTIFIER, packet("admin", "1"), SIGNATURE),
    "a packet without a name": tokenOf(LOCATION, IDENTIFIER, packet("", "1"), SIGNATURE),
    "a packet name in upper case": tokenOf(LOCATION, IDENTIFIER, packet("CID", "1"), SIGNATURE),
    "bytes after the signature": tokenOf(Buffer.from(GOOD, "base64url"), Buffer.from("junk")),
    "a newline after the signature": tokenOf(Buffer.from(GOOD, "base64url"), Buffer.from("\n")),
    "a signature of 31 bytes": tokenOf(LOCATION, IDENTIFIER, packet("signature", "x".repeat(31))),
    "a signature of 33 bytes": tokenOf(LOCATION, IDENTIFIER, packet("signature", "x".repeat(33))),
    "an empty signature": tokenOf(LOCATION, IDENTIFIER, packet("signature", "")),
    "a length in upper case": tokenOf(withLength("000E", LOCATION), IDENTIFIER, SIGNATURE),
    "a length of zero": tokenOf(withLength("0000", LOCATION), IDENTIFIER, SIGNATURE),
    "a length of zero at the end": tokenOf(LOCATION, IDENTIFIER, Buffer.from("0000")),
    "a length of its own digits": tokenOf(LOCATION, withLength("0004", IDENTIFIER), SIGNATURE),
    "a length one too short": tokenOf(withLength("000d", LOCATION), IDENTIFIER, SIGNATURE),
    "a length one too long": tokenOf(withLength("000f", LOCATION), IDENTIFIER, SIGNATURE),
    "a length beyond the end": tokenOf(withLength("ffff", LOCATION), IDENTIFIER, SIGNATURE),
    "a length with a sign": tokenOf(withLength("+00e", LOCATION), IDENTIFIER, SIGNATURE),
    "a length with a blank": tokenOf(withLength("  0e", LOCATION), IDENTIFIER, SIGNATURE),
    "a length cut short": tokenOf(LOCATION, IDENTIFIER, Buffer.from("00")),
    "a packet without a blank": tokenOf(LOCATION, IDENTIFIER, Buffer.from("0008cid\n"), SIGNATURE),
    "a packet without a newline": tokenOf(
      LOCATION,
      IDENTIFIER,
      Buffer.from("000acid ab"),
      SIGNATURE,
    ),
    "broken UTF-8 in the location": tokenOf(packet("location", BROKEN_TEXT), IDENTIFIER, SIGNATURE),
    "broken UTF-8 in the identifier": signed(BROKEN_TEXT),
    "broken UTF-8 in a caveat": signed("app", BROKEN_TEXT),
    "an overlong encoding": signed("app", Buffer.from([0xc0, 0x80])),
    "an encoded surrogate": signed("app", Buffer.from([0xed, 0xa0, 0x80])),
    "the standard alphabet": signed("ÿ>?", "path = ÿÿ>>??").replaceAll("-", "+")
      .replaceAll("_", "/"),
    "too much padding": `${GOOD}====`,
    "padding inside": `${GOOD.slice(0, 4)}=${GOOD.slice(4)}`,
    "a blank inside": `${GOOD.slice(0, 4)} ${GOOD.slice(4)}`,
    "a newline at the end": `${GOOD}\n`,
    "a character outside ASCII": `${GOOD.slice(0, -1)}Ā`,
    "two tokens joined by a comma": `${GOOD}, ${GOOD}`,
  },
};

for (const [reason, tokens] of Object.entries(refusals)) {
  for (const [what, token] of Object.entries(tokens)) {
    Deno.test(`a token with ${what} is refused as ${reason}`, () => {
      assertEquals(decodeMacaroon(token), { kind: "refused", reason });
    });
  }
}

Deno.test("a token says its identifier and its caveats in order", () => {
  const { identifier, caveats } = decoded(GOOD);
  assertEquals({ identifier, caveats }, {
    identifier: "app",
    caveats: ["path = /export", "method = POST"],
  });
});

Deno.test("padding is optional but must be right", () => {
  for (const identifier of ["a", "aa", "aaa"]) {
    const unpadded = signed(identifier);
    const due = "=".repeat((4 - unpadded.length % 4) % 4);
    assert(verifies(unpadded));
    assert(verifies(unpadded + due));
    assertFalse(verifies(`${unpadded}${due}=`));
    if (due === "==") assertFalse(verifies(`${unpadded}=`));
  }
});

Deno.test("unused bits of the last character must be zero", () => {
  const last = GOOD.charCodeAt(GOOD.length - 1);
  assertEquals(GOOD.length % 4 === 0, false, "a token without unused bits shows nothing");
  assertFalse(verifies(GOOD.slice(0, -1) + String.fromCharCode(last + 1)));
});

Deno.test("a token at every limit is taken", () => {
  assert(verifies(signed("", ...Array<string>(CAVEATS_MAX).fill("path = /"))));
  assert(verifies(signed("", "x".repeat(CAVEAT_BYTES_MAX))));
  const room = TOKEN_CHARS_MAX * 3 / 4 - Buffer.from(signed(""), "base64url").length;
  const longest = signed("x".repeat(room));
  assertEquals(longest.length, TOKEN_CHARS_MAX);
  assert(verifies(longest));
});

Deno.test("the location is not signed and is not told", () => {
  const location = packet("location", "https://elsewhere/");
  const elsewhere = tokenOf(location, IDENTIFIER, ...CAVEATS, SIGNATURE);
  assert(verifies(elsewhere));
  assertEquals(decoded(elsewhere), decoded(GOOD));
});

Deno.test("a byte order mark is part of the text", () => {
  assertEquals(decoded(signed("app", "\uFEFFpath = /")).caveats, ["\uFEFFpath = /"]);
});

Deno.test("a signature verifies by the root key that made it, and by no other", () => {
  const macaroon = decoded(GOOD);
  assert(isSignedBy(deriveRootKey(SECRET), macaroon));
  assertFalse(isSignedBy(deriveRootKey("other"), macaroon));
});

Deno.test("a root key is not derived from an empty secret", () => {
  assertThrows(() => deriveRootKey(""), RangeError, "the secret is empty");
});

Deno.test("a root key does not print what it is", () => {
  const key = deriveRootKey(SECRET);
  const printed = Deno.inspect(key, { depth: 9, showHidden: true }) + JSON.stringify(key);
  const bytes = key.export();
  for (const spelling of [bytes.toString("hex"), bytes.toString("base64"), bytes.join(", ")]) {
    assertFalse(printed.includes(spelling.slice(0, 12)), printed);
  }
});
