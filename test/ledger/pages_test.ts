import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { entriesIn, type Numbered, pagesOf } from "../../src/ledger/pages.ts";

function numbered(texts: readonly string[]): Numbered[] {
  return texts.map((text, n) => ({ seq: n + 5, bytes: new TextEncoder().encode(text) }));
}

Deno.test("entries fill a page up to its limit, and not beyond", () => {
  const pages = pagesOf(numbered(["aaaa", "bbbb", "c"]), 10);
  const texts = pages.map(({ seq, bytes }) => [seq, new TextDecoder().decode(bytes)]);
  assertEquals(texts, [[5, "aaaa\nbbbb"], [7, "c"]]);
  assertEquals(pagesOf([], 10), []);
});

Deno.test("an entry that alone is over the limit has a page of its own", () => {
  const pages = pagesOf(numbered(["a", "b".repeat(20), "c"]), 10);
  assertEquals(pages.map(({ seq }) => seq), [5, 6, 7]);
});

Deno.test("whatever entries there are, pages give them back in order, as they were", () => {
  const entries = fc.array(fc.json().map((json) => json.replaceAll("\n", "")));
  fc.assert(fc.property(entries, fc.integer({ min: 1, max: 500 }), (texts, bytesMax) => {
    const given = numbered(texts);
    const pages = pagesOf(given, bytesMax);
    assertEquals(pages.flatMap(({ bytes }) => entriesIn(bytes)), given.map(({ bytes }) => bytes));
    const firsts = pages.map(({ seq, bytes }) => seq + entriesIn(bytes).length);
    assertEquals(firsts.slice(0, -1), pages.slice(1).map(({ seq }) => seq));
    assert(
      pages.every(({ bytes }) => bytes.byteLength <= bytesMax || entriesIn(bytes).length === 1),
    );
  }));
});
