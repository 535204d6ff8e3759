/** Draws groups of bars side by side, as SVG; pure. */

export interface Bars {
  /** One bar of each group, in this order. */
  readonly names: readonly string[];
  readonly groups: readonly {
    readonly name: string;
    /** In the order of `names`; a value that was not measured leaves a gap. */
    readonly values: readonly (number | undefined)[];
  }[];
}

const BAR = 29;
const GAP = 24;
const HEIGHT = 260;
const LEFT = 20;
const TOP = 70;
const LEGEND_ROOM = 34;
const LETTER = 7;
const COLOURS = [
  "#0a58ca",
  "#6ea8fe",
  "#8a8d91",
  "#f3cf6b",
  "#d18b00",
  "#f0997d",
  "#c2410c",
  "#4d7c0f",
  "#7c3aed",
  "#0f766e",
];

/** A picture of `bars`: all share one scale, starting at zero, with each value above its bar. */
export function barChart(title: string, { names, groups }: Bars): string {
  const max = Math.max(1, ...groups.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const groupWidth = names.length * BAR + GAP;
  const legendWidth = LEGEND_ROOM + LETTER * Math.max(...names.map((name) => name.length));
  const width = LEFT + Math.max(groups.length * groupWidth, names.length * legendWidth) + GAP;
  const height = TOP + HEIGHT + 40;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"`,
    ` font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="15">${escaped(title)}</text>`,
    ...names.map((name, n) => legend(name, n, LEFT + n * legendWidth)),
    ...groups.flatMap(({ name, values }, n) => {
      const left = LEFT + n * groupWidth;
      const middle = left + names.length * BAR / 2;
      return [
        ...values.map((value, m) => value === undefined ? "" : bar(value, max, m, left)),
        `<text x="${middle}" y="${TOP + HEIGHT + 18}" text-anchor="middle">${escaped(name)}</text>`,
      ];
    }),
    `<path d="M${LEFT},${TOP + HEIGHT} H${width - GAP}" stroke="#999"/>`,
    `</svg>\n`,
  ].filter((line) => line !== "").join("\n");
}

function legend(name: string, n: number, x: number): string {
  return `<rect x="${x}" y="36" width="12" height="12" fill="${colourOf(n)}"/>` +
    `<text x="${x + 17}" y="46">${escaped(name)}</text>`;
}

function bar(value: number, max: number, n: number, left: number): string {
  const height = Math.round(value / max * HEIGHT);
  const x = left + n * BAR;
  const y = TOP + HEIGHT - height;
  return `<rect x="${x}" y="${y}" width="${BAR - 3}" height="${height}" fill="${colourOf(n)}"/>` +
    `<text x="${x + BAR / 2}" y="${y - 4}" text-anchor="middle" font-size="9">` +
    `${Math.round(value)}</text>`;
}

function colourOf(n: number): string {
  return COLOURS[n % COLOURS.length] ?? "";
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
