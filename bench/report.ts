/** The results of a comparison, as Markdown and as bars; pure. */
import type { Bars } from "./bars.ts";
import { type Measurement, mediansOf, ratioTo, type Spread } from "./statistics.ts";
import { figure, markdownTable } from "./table.ts";

/** What is known of a rival besides its speed. */
export interface Nature {
  readonly name: string;
  /** The peak resident memory of its processes, added up. */
  readonly peakMiB: number;
  /** What counts as a commit for it. */
  readonly commit: string;
  /** By number of clients; empty if there are none, or they were not counted. */
  readonly commitsPerExport: ReadonlyMap<number, number>;
}

export function speedTable(base: string, measurements: readonly Measurement[]): string {
  const head = ["rival", "clients", "exports/s", `× ${base}`, "accepted p50 ms", "p99"];
  const more = ["outcome p50 ms", "p99", "CPU s/1,000"];
  const rows = loadsOf(measurements).flatMap((clients) =>
    rivalsOf(measurements).flatMap((rival) => {
      const rounds = measurements.filter((m) => m.rival === rival && m.clients === clients);
      if (rounds.length === 0) return [];
      const { perSecond, accepted, finished, cpuSecondsPer1000 } = mediansOf(rounds);
      const figures = [accepted.p50, accepted.p99, finished.p50, finished.p99, cpuSecondsPer1000];
      const ratio = ratioText(ratioTo(base, rival, clients, measurements));
      return [[rival, String(clients), figure(perSecond), ratio, ...figures.map(figure)]];
    })
  );
  return markdownTable([...head, ...more], rows);
}

export function natureTable(natures: readonly Nature[], loads: readonly number[]): string {
  const head = ["rival", "peak memory MiB", "per export", ...loads.map(clientsText)];
  const rows = natures.map(({ name, peakMiB, commit, commitsPerExport }) => [
    name,
    figure(peakMiB),
    commit,
    ...loads.map((clients) => figure(commitsPerExport.get(clients))),
  ]);
  return markdownTable(head, rows);
}

export function barsOf(measurements: readonly Measurement[]): Bars {
  const names = rivalsOf(measurements);
  return {
    names,
    groups: loadsOf(measurements).map((clients) => ({
      name: clientsText(clients),
      values: names.map((rival) => {
        const rounds = measurements.filter((m) => m.rival === rival && m.clients === clients);
        return rounds.length === 0 ? undefined : mediansOf(rounds).perSecond;
      }),
    })),
  };
}

/** The median, and the range of the rounds. */
export function ratioText(ratio: Spread | undefined): string {
  if (ratio === undefined) return "–";
  return `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`;
}

function clientsText(clients: number): string {
  return clients === 1 ? "1 client" : `${clients} clients`;
}

function rivalsOf(measurements: readonly Measurement[]): string[] {
  return [...new Set(measurements.map(({ rival }) => rival))];
}

function loadsOf(measurements: readonly Measurement[]): number[] {
  return [...new Set(measurements.map(({ clients }) => clients))].sort((a, b) => a - b);
}
