import { assertEquals } from "@std/assert";
import { tokenFromHeaders } from "../../src/authorise/token_header.ts";

const basic = (userPass: string) => `Basic ${btoa(userPass)}`;

const cases: readonly (readonly [string, [string, string][], string | undefined])[] = [
  ["no header", [], undefined],
  ["X-Api-Key", [["X-Api-Key", "abc"]], "abc"],
  ["x-api-key in lower case", [["x-api-key", "abc"]], "abc"],
  ["an empty X-Api-Key", [["X-Api-Key", ""]], ""],
  ["a Basic user name", [["Authorization", basic("abc:secret")]], "abc"],
  ["a Basic user name without a password", [["Authorization", basic("abc:")]], "abc"],
  ["a password with colons", [["Authorization", basic("abc:d:e")]], "abc"],
  ["a password of any bytes", [["Authorization", basic("abc:\u00ff\u0000")]], "abc"],
  ["an empty user name", [["Authorization", basic(":secret")]], ""],
  ["Basic without its padding", [["Authorization", basic("abc:").replace(/=+$/, "")]], "abc"],
  ["both", [["X-Api-Key", "abc"], ["Authorization", basic("def:")]], "abc"],
  ["an empty X-Api-Key and Basic", [["X-Api-Key", ""], ["Authorization", basic("def:")]], ""],
  ["X-Api-Key twice", [["X-Api-Key", "abc"], ["X-Api-Key", "def"]], "abc, def"],
  ["Authorization twice", [
    ["Authorization", basic("abc:")],
    ["Authorization", basic("abc:")],
  ], undefined],
  ["Basic without a colon", [["Authorization", basic("abc")]], undefined],
  ["Basic without credentials", [["Authorization", "Basic"]], undefined],
  ["basic in lower case", [["Authorization", `basic ${btoa("abc:")}`]], undefined],
  ["Basic and two blanks", [["Authorization", `Basic  ${btoa("abc:")}`]], undefined],
  ["Basic with broken base64", [["Authorization", "Basic ab!d"]], undefined],
  ["Basic with the URL-safe alphabet", [["Authorization", "Basic YWJjOn5-fj8_Pw=="]], undefined],
  ["Basic with a blank inside", [["Authorization", "Basic YWJj Og=="]], undefined],
  ["Basic with too much padding", [["Authorization", `${basic("abc:")}=`]], undefined],
  ["Bearer", [["Authorization", "Bearer abc"]], undefined],
  ["a token alone", [["Authorization", "abc"]], undefined],
];

for (const [what, headers, token] of cases) {
  Deno.test(`${what} gives ${token === undefined ? "no token" : `the token "${token}"`}`, () => {
    assertEquals(tokenFromHeaders(new Headers(headers)), token);
  });
}
