/** What a comparison prints and draws. */
import { assert, assertEquals } from "@std/assert";
import { barChart } from "../../bench/bars.ts";
import { barsOf, natureTable, speedTable } from "../../bench/report.ts";
import type { Measurement } from "../../bench/statistics.ts";
import { figure, markdownTable } from "../../bench/table.ts";

const QUANTILES = { p50: 0.5, p99: 12.34 };

function measured(rival: string, clients: number, perSecond: number): Measurement {
  return {
    rival,
    clients,
    round: 0,
    perSecond,
    accepted: QUANTILES,
    finished: QUANTILES,
    cpuSecondsPer1000: 0.25,
  };
}

const MEASUREMENTS = [
  measured("ours", 16, 2_000),
  measured("ours", 1, 1_000),
  measured("a & b", 1, 500),
];

Deno.test("a figure has three digits that count", () => {
  const cases: [number | undefined, string][] = [
    [undefined, "–"],
    [NaN, "–"],
    [0, "0"],
    [0.01234, "0.0123"],
    [1.234, "1.23"],
    [12.34, "12.3"],
    [123.4, "123"],
    [12_345, "12,345"],
  ];
  for (const [value, expected] of cases) assertEquals(figure(value), expected);
});

Deno.test("a table is aligned, figures to the right", () => {
  const expected = [
    "| rival | exports/s |",
    "| ----- | --------: |",
    "| ours  |     1,000 |",
    "| –     |           |",
  ];
  const rows = [["ours", "1,000"], ["–"]];
  assertEquals(markdownTable(["rival", "exports/s"], rows), expected.join("\n"));
});

Deno.test("speeds are listed by clients, rivals in their order, with their ratio to ours", () => {
  const lines = speedTable("ours", MEASUREMENTS).split("\n").map((line) => line.split(/ *\| */));
  const rows = lines.slice(2).map(([, rival, clients, perSecond, ratio]) => [
    rival,
    clients,
    perSecond,
    ratio,
  ]);
  assertEquals(rows, [
    ["ours", "1", "1,000", "1.00 (1.00–1.00)"],
    ["a & b", "1", "500", "0.50 (0.50–0.50)"],
    ["ours", "16", "2,000", "1.00 (1.00–1.00)"],
  ]);
});

Deno.test("commits that were not counted are left open", () => {
  const commitsPerExport = new Map([[1, 3]]);
  const table = natureTable(
    [{ name: "ours", peakMiB: 200, commit: "commits", commitsPerExport }],
    [1, 16],
  );
  const [, , row = ""] = table.split("\n");
  assertEquals(row.split(/ *\| */).slice(1, -1), ["ours", "200", "commits", "3.00", "–"]);
});

Deno.test("a rival that was not measured under a load leaves its place empty", () => {
  const bars = barsOf(MEASUREMENTS);
  assertEquals(bars.names, ["ours", "a & b"]);
  assertEquals(bars.groups.map(({ values }) => values), [[1_000, 500], [2_000, undefined]]);
  const picture = barChart("Exports <per second>", bars);
  assertEquals(picture.match(/>(500|1000|2000)</g), [">1000<", ">500<", ">2000<"]);
  assert(picture.includes("a &amp; b") && picture.includes("&lt;per second"));
});
