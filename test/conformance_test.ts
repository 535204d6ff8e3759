/** The table of conformance names tests that there are: it cannot outlive them. */
import { assertEquals, assertMatch } from "@std/assert";
import { assertTest } from "./fakes/named_test.ts";

const ITEMS = 60;

interface Row {
  readonly number: number;
  readonly verdict: string;
  readonly tests: readonly { readonly file: string; readonly title: string }[];
}

function rowsOf(table: string): Row[] {
  const lines = [...table.matchAll(/^\| *(\d+) *\|([^|]*)\|([^|]*)\|(.*)\|$/gm)];
  return lines.map(([, number, , verdict = "", tests = ""]) => ({
    number: Number(number),
    verdict: verdict.trim(),
    tests: tests.split("<br>").map((test) => {
      const [, file = "", title = ""] = /^ *`([^`]+)`: (.*?) *$/.exec(test) ?? [];
      return { file, title };
    }),
  }));
}

const here = (name: string) => new URL(name, import.meta.url);

Deno.test("every item of the contract has a verdict and a test that there is", async () => {
  const rows = rowsOf(await Deno.readTextFile(here("CONFORMANCE.md")));
  assertEquals(rows.map(({ number }) => number), Array.from({ length: ITEMS }, (_, n) => n + 1));
  for (const { number, verdict, tests } of rows) {
    assertMatch(verdict, /^(kept|better|ruled)\b/, `item ${number}`);
    for (const { file, title } of tests) await assertTest(file, title, `item ${number}`);
  }
});
