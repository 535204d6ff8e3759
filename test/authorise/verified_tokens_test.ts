import { assertEquals, assertNotStrictEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { verifyToken } from "../../src/authorise/authorise.ts";
import { deriveRootKey } from "../../src/authorise/macaroon.ts";
import { rememberTokens, VerifiedTokens } from "../../src/authorise/verified_tokens.ts";
import { FORMER_KEY_HASHES_PER_SECOND } from "../../src/authorise/token_limits.ts";
import { defined } from "../fakes/expect.ts";
import { packet, SECRET, signed, tokenOf } from "./tokens.ts";

const KEY = deriveRootKey(SECRET);
const NOW = 1_000_000;
const OTHER = deriveRootKey(`${SECRET}.`);

Deno.test("a token that was verified is not verified again", () => {
  const verify = rememberTokens();
  const token = signed("app", "path = /export");
  const first = verify(token, [KEY], NOW);
  assertEquals(first, verifyToken(token, [KEY]));
  assertStrictEquals(verify(token, [OTHER, KEY], NOW), first);
});

Deno.test("a token is forgotten with the key that signed it", () => {
  const verify = rememberTokens();
  const token = signed("app");
  verify(token, [KEY], NOW);
  assertEquals(verify(token, [OTHER], NOW), { kind: "refused", reason: "signature_wrong" });
  assertEquals(verify(token, [], NOW), { kind: "refused", reason: "signature_wrong" });
  assertEquals(verify(token, [KEY], NOW).kind, "verified");
});

Deno.test("the token used longest ago goes first", () => {
  const verify = rememberTokens(2);
  const [a, b, c] = ["a", "b", "c"].map((identifier) => signed(identifier)) as [
    string,
    string,
    string,
  ];
  const of = (token: string) => verify(token, [KEY], NOW);
  const before = { a: of(a), b: of(b) };
  of(a);
  of(c);
  assertStrictEquals(of(a), before.a);
  assertEquals(of(b) === before.b, false);
  assertEquals(of(b), before.b);
});

Deno.test("while there is room an owner may have any number of tokens remembered", () => {
  const verify = rememberTokens();
  const mine = Array.from({ length: 500 }, (_, n) => signed("app", `max_bytes = ${n}`));
  const first = mine.map((token) => verify(token, [KEY], NOW));
  for (const [n, token] of mine.entries()) assertStrictEquals(verify(token, [KEY], NOW), first[n]);
});

Deno.test("beyond that an owner's tokens push out their own, not those of others", () => {
  const verify = rememberTokens();
  const of = (token: string) => verify(token, [KEY], NOW);
  const other = signed("other");
  const before = of(other);
  const mine = Array.from({ length: 2_000 }, (_, n) => signed("app", `max_bytes = ${n}`));
  const verdicts = mine.map(of);
  assertStrictEquals(of(other), before);
  assertStrictEquals(of(defined(mine.at(-1))), verdicts.at(-1));
  const gone = defined(mine[0]);
  const anew = of(gone);
  assertNotStrictEquals(anew, verdicts[0]);
  assertEquals(anew, verifyToken(gone, [KEY]));
  assertStrictEquals(of(gone), anew);
});

Deno.test("what is remembered of all owners is bounded, too", () => {
  const verify = rememberTokens(3);
  const of = (token: string) => verify(token, [KEY], NOW);
  const tokens = ["a", "b", "c", "d"].map((identifier) => signed(identifier));
  const [a, b] = tokens.map(of);
  assertEquals(of(defined(tokens[1])) === b, true);
  assertEquals(of(defined(tokens[0])) === a, false);
});

Deno.test("to remember changes no verdict", () => {
  const texts = [signed("a"), signed("b", "path = /export"), signed("c", "nonsense"), "no token"];
  const token = fc.constantFrom(...texts);
  const keys = fc.constantFrom([KEY], [OTHER], [OTHER, KEY], []);
  fc.assert(
    fc.property(fc.array(fc.tuple(token, keys)), (calls) => {
      const verify = rememberTokens(2);
      for (const [each, ring] of calls) {
        assertEquals(verify(each, ring, NOW), verifyToken(each, ring));
      }
    }),
  );
});

Deno.test("wrong tokens cost former keys so many hashes a second, and no good one is called wrong", () => {
  const verify = rememberTokens();
  const ring = [OTHER, deriveRootKey("a third"), KEY];
  const good = signed("app", "path = /export");
  const caveats = Array(9).fill(packet("cid", "path = /"));
  const signature = packet("signature", new Uint8Array(32));
  const wrong = (n: number) =>
    tokenOf(packet("location", ""), packet("identifier", `app ${n}`), ...caveats, signature);
  const reasonOf = (n: number, now: number) => {
    const verdict = verify(wrong(n), ring, now);
    return verdict.kind === "refused" ? verdict.reason : verdict.kind;
  };
  // Ten hashes for each of the two former keys.
  const affordable = FORMER_KEY_HASHES_PER_SECOND / 20;
  for (let n = 0; n < affordable; n++) assertEquals(reasonOf(n, NOW), "signature_wrong");
  assertEquals(reasonOf(affordable, NOW), "signature_unchecked");
  assertEquals(verify(good, ring, NOW), { kind: "refused", reason: "signature_unchecked" });
  // What the present key signs, and what is remembered, costs nothing of this.
  assertEquals(verify(signed("other app"), [KEY, OTHER], NOW).kind, "verified");
  assertEquals(verify(good, ring, NOW + 100).kind, "verified");
  for (let n = 0; n < affordable; n++) reasonOf(n, NOW + 100);
  assertEquals(verify(good, ring, NOW + 100).kind, "verified");
});

Deno.test("an owner none of whose tokens is remembered is forgotten", () => {
  const tokens = new VerifiedTokens(2);
  for (let n = 0; n < 100; n++) {
    const token = signed(`app ${n}`);
    const verified = verifyToken(token, [KEY]);
    if (verified.kind === "verified") tokens.put(token, verified);
  }
  assertEquals(tokens.owners, 2);
});
