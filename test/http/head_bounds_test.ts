/** What a request's head may take, to the character. */
import { assertEquals } from "@std/assert";
import { faultOfHead } from "../../src/http/head_bounds.ts";

const BOUNDS = { urlChars: 40, headerBytes: 100 };

/** A URL of `length` characters. */
function url(length: number): string {
  return "http://localhost/".padEnd(length, "x");
}

/** Two headers that take `bytes`, each with a colon, a space and a line end. */
function headers(bytes: number): Headers {
  return new Headers({ host: "a".repeat(20), b: "x".repeat(bytes - 20 - 4 - 4 - 1 - 4) });
}

for (
  const [what, head, code] of [
    ["of exactly the limits is served", { url: url(40), headers: headers(100) }, undefined],
    ["with a URL one too long is refused", { url: url(41), headers: headers(100) }, "url_too_long"],
    [
      "with headers one byte too many is refused",
      { url: url(40), headers: headers(101) },
      "headers_too_large",
    ],
  ] as const
) {
  Deno.test(`a head ${what}`, () => assertEquals(faultOfHead(head, BOUNDS)?.code, code));
}
