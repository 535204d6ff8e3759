import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { verifyToken } from "../../src/authorise/authorise.ts";
import { deriveRootKey } from "../../src/authorise/macaroon.ts";
import { rememberTokens } from "../../src/authorise/verified_tokens.ts";
import { SECRET, signed } from "./tokens.ts";

const KEY = deriveRootKey(SECRET);
const OTHER = deriveRootKey(`${SECRET}.`);

Deno.test("a token that was verified is not verified again", () => {
  const verify = rememberTokens();
  const token = signed("app", "path = /export");
  const first = verify(token, [KEY]);
  assertEquals(first, verifyToken(token, [KEY]));
  assertStrictEquals(verify(token, [OTHER, KEY]), first);
});

Deno.test("a token is forgotten with the key that signed it", () => {
  const verify = rememberTokens();
  const token = signed("app");
  verify(token, [KEY]);
  assertEquals(verify(token, [OTHER]), { kind: "refused", reason: "signature_wrong" });
  assertEquals(verify(token, []), { kind: "refused", reason: "signature_wrong" });
  assertEquals(verify(token, [KEY]).kind, "verified");
});

Deno.test("the token used longest ago goes first", () => {
  const verify = rememberTokens(2);
  const [a, b, c] = ["a", "b", "c"].map((identifier) => signed(identifier)) as [
    string,
    string,
    string,
  ];
  const of = (token: string) => verify(token, [KEY]);
  const before = { a: of(a), b: of(b) };
  of(a);
  of(c);
  assertStrictEquals(of(a), before.a);
  assertEquals(of(b) === before.b, false);
  assertEquals(of(b), before.b);
});

Deno.test("to remember changes no verdict", () => {
  const texts = [signed("a"), signed("b", "path = /export"), signed("c", "nonsense"), "no token"];
  const token = fc.constantFrom(...texts);
  const keys = fc.constantFrom([KEY], [OTHER], [OTHER, KEY], []);
  fc.assert(
    fc.property(fc.array(fc.tuple(token, keys)), (calls) => {
      const verify = rememberTokens(2);
      for (const [each, ring] of calls) assertEquals(verify(each, ring), verifyToken(each, ring));
    }),
  );
});
