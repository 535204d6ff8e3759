/** Markdown tables, aligned as `deno fmt` does it; pure. */

/** The first column is text, the others are figures. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = head.map((title, n) =>
    Math.max(3, ...[title, ...rows.map((row) => row[n] ?? "")].map((cell) => cell.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      widths.map((width, n) => {
        const cell = cells[n] ?? "";
        return n === 0 ? cell.padEnd(width) : cell.padStart(width);
      }).join(" | ")
    } |`;
  const rule = widths.map((width, n) => n === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`);
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

/** Three significant digits, with thousands separators: `0.0123`, `1.23`, `12.3`, `1,234`. */
export function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  if (value === 0) return "0";
  const decimals = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toLocaleString("en", {
    minimumFractionDigits: Math.min(decimals, 4),
    maximumFractionDigits: Math.min(decimals, 4),
  });
}
