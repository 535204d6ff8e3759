import { assert, assertEquals, assertFalse, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Access,
  CAVEAT_NAMES,
  type CaveatName,
  type Grant,
  permitsBytes,
  permitsDestination,
  type RefusalReason,
} from "../../src/authorise/authorise.ts";
import { readCaveat } from "../../src/authorise/caveat.ts";
import { deriveRootKey } from "../../src/authorise/macaroon.ts";
import { grantIn, packet, packetsOf, SECRET, signed, tokenOf, verdictOn } from "./tokens.ts";

const ROOT_KEYS = [deriveRootKey(SECRET)];
const ACCESS: Access = {
  target: "export-service",
  path: "/lp/export",
  method: "POST",
  now: Date.UTC(2030, 0, 1),
};
const REQUIRED: readonly CaveatName[] = ["target", "path", "method", "destination"];

const TARGET = "target = export-service";
const PATH = "path = /lp/export";
const METHOD = "method = POST";
const DESTINATION = "destination = https://export.amar.io/";
const GOOD = [PATH, METHOD, TARGET, DESTINATION];

/** What a token of these caveats is refused for, or undefined. */
function refusal(caveats: readonly string[], access = ACCESS, required = REQUIRED) {
  const result = verdictOn(signed("", ...caveats), ROOT_KEYS, access, required);
  return result.kind === "refused" ? result.reason : undefined;
}

function granted(identifier: string, ...caveats: readonly string[]): Grant {
  return grantIn(verdictOn(signed(identifier, ...caveats), ROOT_KEYS, ACCESS, []));
}

const judged: readonly (readonly [string, readonly string[], RefusalReason | undefined])[] = [
  ["the four caveats of the arbiter", GOOD, undefined],
  ["the four caveats in another order", GOOD.toReversed(), undefined],
  ["a caveat twice", [...GOOD, PATH, DESTINATION], undefined],
  ["a method in lower case", [PATH, "method = post", TARGET, DESTINATION], undefined],
  ["a caveat name of the method in upper case", [...GOOD, "METHOD = POST"], undefined],
  ["a time to come", [...GOOD, "time < 2030-01-01T00:00:00.001Z"], undefined],
  ["a budget", [...GOOD, "max_bytes = 0"], undefined],
  ["a time that is now", [...GOOD, "time < 2030-01-01T00:00:00Z"], "expired"],
  ["a time gone by", [...GOOD, "time < 2029-12-31T23:59:59.999Z"], "expired"],
  ["one time to come and one gone by", [
    ...GOOD,
    "time < 2031-01-01T00:00:00Z",
    "time < 2029-01-01T00:00:00Z",
  ], "expired"],
  ["another target", [...GOOD, "target = core-store"], "target_wrong"],
  ["a target that differs in case", [...GOOD, "target = Export-Service"], "target_wrong"],
  ["a target that goes on", [...GOOD, "target = export-service2"], "target_wrong"],
  ["another path", [...GOOD, "path = /export"], "path_wrong"],
  ["the beginning of the path", [...GOOD, "path = /lp"], "path_wrong"],
  ["a path with a slash more", [...GOOD, "path = /lp/export/"], "path_wrong"],
  ["a path with a wildcard", [...GOOD, "path = /lp/*"], "path_wrong"],
  ["another method", [...GOOD, "method = GET"], "method_wrong"],
  ["a caveat nobody knows", [...GOOD, "admin = true"], "caveat_unknown"],
  ["an empty caveat", [...GOOD, ""], "caveat_unknown"],
  ["a budget that is no number", [...GOOD, "max_bytes = many"], "caveat_unknown"],
  ["no target", [PATH, METHOD, DESTINATION], "caveat_missing"],
  ["no path", [METHOD, TARGET, DESTINATION], "caveat_missing"],
  ["no method", [PATH, TARGET, DESTINATION], "caveat_missing"],
  ["no destination", [PATH, METHOD, TARGET], "caveat_missing"],
  ["no caveat at all", [], "caveat_missing"],
];

for (const [what, caveats, reason] of judged) {
  Deno.test(`a token with ${what} is ${reason ? `refused as ${reason}` : "granted"}`, () => {
    assertEquals(refusal(caveats), reason);
  });
}

Deno.test("a token is refused as missing, wrong or malformed before its caveats are looked at", () => {
  const judge = (token: string | undefined, keys = ROOT_KEYS) =>
    verdictOn(token, keys, ACCESS, REQUIRED);
  const refused = (reason: RefusalReason) => ({ kind: "refused", reason });
  const expired = signed("", "time < 2000-01-01T00:00:00Z");
  assertEquals(judge(undefined), refused("token_missing"));
  assertEquals(judge(""), refused("token_malformed"));
  assertEquals(judge(expired), refused("expired"));
  assertEquals(judge(expired, [deriveRootKey("new")]), refused("signature_wrong"));
  assertEquals(judge(expired, []), refused("signature_wrong"));
});

Deno.test("any caveat can be required, and none must be", () => {
  const every = [...GOOD, "time < 2031-01-01T00:00:00Z", "max_bytes = 1"];
  assertEquals(refusal(every, ACCESS, CAVEAT_NAMES), undefined);
  assertEquals(refusal([], ACCESS, []), undefined);
  for (const name of CAVEAT_NAMES) {
    const without = every.filter((text) => readCaveat(text).kind !== name);
    assertEquals(refusal(without, ACCESS, [name]), "caveat_missing");
  }
});

Deno.test("a clock that tells no time lets every token expire", () => {
  const access = { ...ACCESS, now: NaN };
  assertEquals(refusal([...GOOD, "time < 9999-01-01T00:00:00Z"], access), "expired");
});

Deno.test("a destination must equal every destination caveat exactly", () => {
  const one = granted("", DESTINATION, DESTINATION);
  assertEquals(one.destination, "https://export.amar.io/");
  assert(permitsDestination(one, "https://export.amar.io/"));
  for (const other of ["https://export.amar.io", "HTTPS://export.amar.io/", ""]) {
    assertFalse(permitsDestination(one, other), other);
  }
  assertEquals(refusal([...GOOD, "destination = https://b.example/"]), "destination_wrong");
  assert(permitsDestination(granted(""), "https://anywhere.example/"));
});

Deno.test("the smallest budget counts, to the byte", () => {
  const grant = granted("", "max_bytes = 20", "max_bytes = 10", "max_bytes = 30");
  assertEquals([9, 10, 11].map((bytes) => permitsBytes(grant, bytes)), [true, true, false]);
  assert(permitsBytes(granted(""), Number.MAX_SAFE_INTEGER));
});

Deno.test("an owner is the identifier and the destinations, and nothing else", () => {
  const { owner } = granted("app", ...GOOD);
  assertMatch(owner, /^[A-Za-z0-9_-]{22}$/);
  const more = [...GOOD, DESTINATION, "time < 2031-01-01T00:00:00Z", "max_bytes = 5"];
  assertEquals(granted("app", ...more.toReversed()).owner, owner);
  assertNotEquals(granted("", ...GOOD).owner, owner);
  assertNotEquals(granted("app", TARGET).owner, owner);
  assertNotEquals(granted("app", "destination = x").owner, owner);
});

Deno.test("an export made at /export may be polled at /lp/export", () => {
  const token = signed("", "path = /export", METHOD, TARGET, DESTINATION);
  const result = verdictOn(token, ROOT_KEYS, { ...ACCESS, path: "/export" }, REQUIRED);
  assertEquals(grantIn(result).owner, granted("", ...GOOD).owner);
});

Deno.test("texts that run together still make different owners", () => {
  const owners = [
    granted("ab", "destination = c"),
    granted("a", "destination = bc"),
    granted("abc"),
    granted("", "destination = abc"),
  ].map(({ owner }) => owner);
  assertEquals(new Set(owners).size, owners.length);
});

Deno.test("an owner never changes its id from one version to the next", () => {
  assertEquals(granted("", ...GOOD).owner, "gGhFnX4xf4iZipEkYijIiQ");
});

Deno.test("a location makes no owner", () => {
  const elsewhere = tokenOf(
    packet("location", "https://elsewhere/"),
    ...packetsOf(signed("", ...GOOD)).slice(1),
  );
  const result = verdictOn(elsewhere, ROOT_KEYS, ACCESS, REQUIRED);
  assertEquals(result, { kind: "granted", grant: granted("", ...GOOD) });
});

const caveat = fc.oneof(
  fc.constantFrom(
    ...GOOD,
    "path = /export",
    "destination = x",
    "time < 2031-01-01T00:00:00Z",
    "time < 2030-01-01T00:00:00Z",
    "max_bytes = 7",
    "max_bytes = 1000",
  ),
  fc.string(),
);

Deno.test("a caveat more only narrows what a token permits", () => {
  fc.assert(fc.property(fc.array(caveat), caveat, (caveats, added) => {
    const judge = (...all: readonly string[]) =>
      verdictOn(signed("", ...all), ROOT_KEYS, ACCESS, []);
    const narrowed = judge(...caveats, added);
    if (narrowed.kind === "refused") return;
    const { grant } = narrowed;
    const before = grantIn(judge(...caveats));
    assert(grant.maxBytes <= before.maxBytes);
    assert(before.destination === undefined || before.destination === grant.destination);
  }));
});

Deno.test("a required caveat may be added by the bearer, so requiring one withholds nothing", () => {
  fc.assert(fc.property(fc.array(caveat), caveat, (caveats, added) => {
    const before = refusal(caveats);
    const after = refusal([...caveats, added]);
    if (before !== undefined && after === undefined) assertEquals(before, "caveat_missing");
  }));
  assertEquals(refusal([PATH, METHOD, TARGET]), "caveat_missing");
  assertEquals(refusal([PATH, METHOD, TARGET, "destination = https://evil.example/"]), undefined);
});
