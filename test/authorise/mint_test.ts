import { assert, assertEquals, assertThrows } from "@std/assert";
import { permitsBytes, permitsDestination } from "../../src/authorise/authorise.ts";
import { deriveRootKey } from "../../src/authorise/macaroon.ts";
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import {
  CAVEAT_BYTES_MAX,
  CAVEATS_MAX,
  TOKEN_CHARS_MAX,
} from "../../src/authorise/token_limits.ts";
import { decoded, grantIn, SECRET, signed, verdictOn } from "./tokens.ts";

const PERMISSION = {
  target: "export-service",
  path: "/lp/export",
  method: "POST",
  destination: "https://export.amar.io/",
};
const NEW_YEAR = Date.UTC(2030, 0, 1);

Deno.test("the caveats of an export stand in the arbiter's order", () => {
  assertEquals(exportCaveats(PERMISSION), [
    "path = /lp/export",
    "method = POST",
    "target = export-service",
    "destination = https://export.amar.io/",
  ]);
  assertEquals(exportCaveats({ ...PERMISSION, expiresAt: NEW_YEAR, maxBytes: 10 }).slice(4), [
    "time < 2030-01-01T00:00:00.000Z",
    "max_bytes = 10",
  ]);
});

Deno.test("a budget or a time that no verifier understands is not written", () => {
  for (const maxBytes of [-1, 1.5, NaN, Infinity, 2 ** 53, 1e21]) {
    assertThrows(() => exportCaveats({ ...PERMISSION, maxBytes }), RangeError, "max_bytes");
  }
  for (const expiresAt of [NaN, Date.UTC(10_000, 0, 1), Date.UTC(-1, 0, 1)]) {
    assertThrows(() => exportCaveats({ ...PERMISSION, expiresAt }), RangeError);
  }
});

Deno.test("a minted token permits exactly what its caveats say", () => {
  const caveats = exportCaveats({ ...PERMISSION, expiresAt: NEW_YEAR, maxBytes: 10 });
  const token = mintToken(SECRET, { caveats });
  const judge = (now: number) =>
    verdictOn(token, [deriveRootKey(SECRET)], { ...PERMISSION, now }, ["destination", "max_bytes"]);
  assertEquals(judge(NEW_YEAR), { kind: "refused", reason: "expired" });
  const grant = grantIn(judge(NEW_YEAR - 1));
  assert(permitsDestination(grant, PERMISSION.destination));
  assert(permitsBytes(grant, 10) && !permitsBytes(grant, 11));
});

Deno.test("a token is minted like those of the arbiter, byte for byte", () => {
  const caveats = exportCaveats(PERMISSION);
  assertEquals(mintToken(SECRET, { caveats }), signed("", ...caveats));
});

Deno.test("an identifier and a location may be given", () => {
  const request = { identifier: "app", location: "https://arbiter:8080", caveats: [] };
  const token = mintToken(SECRET, request);
  assertEquals(decoded(token).identifier, "app");
  assert(atob(token.replaceAll("-", "+").replaceAll("_", "/")).includes(request.location));
});

const refused: Record<string, { caveats: string[]; identifier?: string }> = {
  token_too_many_caveats: { caveats: Array<string>(CAVEATS_MAX + 1).fill("path = /") },
  token_caveat_too_long: { caveats: ["x".repeat(CAVEAT_BYTES_MAX + 1)] },
  token_too_long: { caveats: [], identifier: "x".repeat(TOKEN_CHARS_MAX) },
};

for (const [reason, request] of Object.entries(refused)) {
  Deno.test(`a token that would be refused as ${reason} is not minted`, () => {
    assertThrows(() => mintToken(SECRET, request), RangeError, reason);
  });
}

Deno.test("a caveat beyond the format's own limit is not minted", () => {
  assertThrows(() => mintToken(SECRET, { caveats: ["x".repeat(70_000)] }), RangeError);
});

Deno.test("no token is minted with an empty secret", () => {
  assertThrows(() => mintToken("", { caveats: [] }), RangeError, "the secret is empty");
});
