import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { hostAndPathOf } from "../../src/exports/ledger_entry.ts";

const places: readonly (readonly [uri: string, host: string, path: string])[] = [
  ["https://export.amar.io/", "export.amar.io", "/"],
  ["https://export.amar.io", "export.amar.io", "/"],
  ["https://Export.Amar.IO:443/Hook", "export.amar.io", "/Hook"],
  ["https://export.amar.io:8443/a/b", "export.amar.io:8443", "/a/b"],
  ["http://export.amar.io:80/", "export.amar.io", "/"],
  ["http://127.0.0.1:4444/", "127.0.0.1:4444", "/"],
  ["https://[2606:4700:4700::1111]:8443/", "[2606:4700:4700::1111]:8443", "/"],
  ["https://bücher.example/straße", "xn--bcher-kva.example", "/stra%C3%9Fe"],
  ["https://user:secret@export.amar.io/", "export.amar.io", "/"],
  ["https://export.amar.io/hook?key=secret", "export.amar.io", "/hook"],
  ["https://export.amar.io/hook#secret", "export.amar.io", "/hook"],
  ["https://export.amar.io?secret", "export.amar.io", "/"],
];

for (const [uri, host, path] of places) {
  Deno.test(`the ledger knows ${uri} as ${host} and ${path}`, () => {
    assertEquals(hostAndPathOf(uri), { host, path });
  });
}

Deno.test("what is no URL has no place in the ledger", () => {
  for (const uri of ["", "export.amar.io/?secret", "/hook?secret", "https://", "https://a b/"]) {
    assertEquals(hostAndPathOf(uri), { host: "", path: "" });
  }
});

Deno.test("nor has a URL without a host, whose path may hold anything", () => {
  for (
    const uri of ["blob:https://user:secret@a.example/", "mailto:secret@a.example", "data:,secret"]
  ) {
    assertEquals(hostAndPathOf(uri), { host: "", path: "" });
  }
});

Deno.test("whatever the destination, its place holds no credentials, query or fragment", () => {
  const secret = "5ecret";
  const label = fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/);
  const path = fc.constantFrom("", "/", "/a/b", "/%20;x=1:y", "//", "/é");
  fc.assert(
    fc.property(label, path, fc.nat(65_535), (label, path, port) => {
      const host = `${label}.example`;
      const bare = hostAndPathOf(`https://${host}:${port}${path}`);
      const full = `https://${secret}:${secret}@${host}:${port}${path}?${secret}=1#${secret}`;
      assertEquals(hostAndPathOf(full), bare);
      assert(!JSON.stringify(bare).includes(secret));
      assertEquals(bare.host, port === 443 ? host : `${host}:${port}`);
    }),
    { numRuns: 200 },
  );
});
