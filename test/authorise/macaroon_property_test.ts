import { assert, assertEquals, assertFalse } from "@std/assert";
import fc from "fast-check";
import macaroons from "macaroons.js";
import { Buffer } from "node:buffer";
import { decodeMacaroon, deriveRootKey, isSignedBy } from "../../src/authorise/macaroon.ts";
import { decoded, packet, packetsOf, signed, tokenOf, verifies } from "./tokens.ts";

const GOOD = signed("app", "path = /export", "method = POST");
const text = fc.string({ unit: "binary", maxLength: 40 });
const request = fc.record({
  secret: fc.string({ unit: "binary", minLength: 1 }),
  location: text,
  identifier: text,
  caveats: fc.array(text, { maxLength: 8 }),
});

Deno.test("every token of macaroons.js says the same here, is signed the same, and verifies", () => {
  fc.assert(fc.property(request, ({ secret, location, identifier, caveats }) => {
    const builder = new macaroons.MacaroonsBuilder(location, secret, identifier);
    for (const caveat of caveats) builder.add_first_party_caveat(caveat);
    const theirs = builder.getMacaroon();
    const ours = decoded(theirs.serialize());
    assertEquals({ ...ours, signature: Buffer.from(ours.signature).toString("hex") }, {
      identifier,
      caveats,
      signature: theirs.signature,
    });
    assert(isSignedBy(deriveRootKey(secret), ours));
    assertFalse(isSignedBy(deriveRootKey(`${secret}.`), ours));
  }));
});

Deno.test("a token with any byte changed behind its location does not verify", () => {
  const bytes = Buffer.from(GOOD, "base64url");
  const [location] = packetsOf(GOOD);
  const position = fc.integer({ min: location?.length ?? 0, max: bytes.length - 1 });
  fc.assert(
    fc.property(position, fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ mask, at);
      assertFalse(verifies(changed.toString("base64url")));
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a token with a caveat inserted anywhere does not verify", () => {
  const packets = packetsOf(GOOD);
  const inserted = fc.oneof(text, fc.constantFrom(...decoded(GOOD).caveats, "user = admin"));
  fc.assert(fc.property(fc.nat(packets.length), inserted, (at, caveat) => {
    assertFalse(verifies(tokenOf(...packets.toSpliced(at, 0, packet("cid", caveat)))));
  }));
});

Deno.test("whatever is sent as a token, decoding it throws nothing", () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b).toString("base64url"));
  const packets = fc.array(
    fc.tuple(fc.constantFrom("location", "identifier", "cid", "signature", "vid"), text)
      .map(([name, value]) => packet(name, value)),
  ).map((all) => tokenOf(...all));
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), bytes, packets), (token) => {
    assert(["decoded", "refused"].includes(decodeMacaroon(token).kind));
  }));
});
