/** Draws curves over one time axis, one below the other, as SVG. */

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 720;
const HEIGHT = 150;
const LEFT = 60;
const GAP = 46;

/** A picture of `curves`; each has its own scale, starting at zero. */
export function chart(title: string, unit: string, curves: readonly Curve[]): string {
  const xMax = Math.max(...curves.flatMap(({ points }) => points.map(([x]) => x)));
  const height = GAP + curves.length * (HEIGHT + GAP);
  const panels = curves.map((curve, n) => panel(curve, xMax, GAP + n * (HEIGHT + GAP)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${LEFT + WIDTH + 20}" height="${height}"`,
    ` font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${LEFT}" y="20" font-size="15">${title}</text>`,
    ...panels,
    `<text x="${LEFT + WIDTH}" y="${height - 8}" text-anchor="end">${round(xMax)} ${unit}</text>`,
    `</svg>\n`,
  ].join("\n");
}

function panel({ name, points }: Curve, xMax: number, top: number): string {
  const yMax = Math.max(1, ...points.map(([, y]) => y)) * 1.1;
  const at = ([x, y]: readonly [number, number]) =>
    `${round(LEFT + x / xMax * WIDTH)},${round(top + HEIGHT - y / yMax * HEIGHT)}`;
  const label = (y: number) =>
    `<text x="${LEFT - 6}" y="${round(top + HEIGHT - y / yMax * HEIGHT) + 4}" text-anchor="end">` +
    `${round(y)}</text>`;
  const most = Math.max(...points.map(([, y]) => y));
  return [
    `<text x="${LEFT}" y="${top - 6}">${name}</text>`,
    `<path d="M${LEFT},${top} V${top + HEIGHT} H${LEFT + WIDTH}" fill="none" stroke="#999"/>`,
    label(0),
    label(most),
    `<polyline points="${
      points.map(at).join(" ")
    }" fill="none" stroke="#0a58ca" stroke-width="1.5"/>`,
  ].join("\n");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
