/** Statistics of a comparison; pure. */

/** One rival under one load in one round. */
export interface Measurement {
  readonly rival: string;
  readonly clients: number;
  readonly round: number;
  readonly perSecond: number;
  /** Milliseconds from the submission. */
  readonly accepted: Quantiles;
  readonly finished: Quantiles;
  /** Processor time of the rival. */
  readonly cpuSecondsPer1000: number;
}

export interface Quantiles {
  readonly p50: number;
  readonly p99: number;
}

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The `q`-quantile of `ordered`, which must be in ascending order. */
export function quantile(ordered: readonly number[], q: number): number {
  return ordered[Math.min(ordered.length - 1, Math.floor(q * ordered.length))] ?? NaN;
}

export function quantilesOf(values: readonly number[]): Quantiles {
  const ordered = values.toSorted((a, b) => a - b);
  return { p50: quantile(ordered, 0.5), p99: quantile(ordered, 0.99) };
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const ordered = values.toSorted((a, b) => a - b);
  const half = ordered.length / 2;
  const [low = NaN, high = low] = ordered.slice(Math.ceil(half) - 1, Math.floor(half) + 1);
  return (low + high) / 2;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** The ratio of `values` to `base`, round by round. */
export function ratioByRound(values: readonly number[], base: readonly number[]): Spread {
  return spreadOf(values.map((value, round) => value / (base[round] ?? NaN)));
}

/**
 * The ratio of a rival to `base`, round by round, under the same load: a disturbance of the machine
 * affects both. Rounds that one of them lacks do not count; `undefined` if none is left.
 */
export function ratioTo(
  base: string,
  rival: string,
  clients: number,
  measurements: readonly Measurement[],
): Spread | undefined {
  const perSecond = (name: string) =>
    new Map(
      measurements
        .filter((one) => one.rival === name && one.clients === clients)
        .map((one) => [one.round, one.perSecond]),
    );
  const ours = perSecond(base);
  const ratios = [...perSecond(rival)].flatMap(([round, value]) => {
    const other = ours.get(round);
    return other === undefined ? [] : [value / other];
  });
  return ratios.length === 0 ? undefined : spreadOf(ratios);
}

/** The medians of the rounds of one rival under one load. */
export function mediansOf(rounds: readonly Measurement[]) {
  const of = (figure: (one: Measurement) => number) => median(rounds.map(figure));
  return {
    perSecond: of(({ perSecond }) => perSecond),
    accepted: { p50: of(({ accepted }) => accepted.p50), p99: of(({ accepted }) => accepted.p99) },
    finished: { p50: of(({ finished }) => finished.p50), p99: of(({ finished }) => finished.p99) },
    cpuSecondsPer1000: of(({ cpuSecondsPer1000 }) => cpuSecondsPer1000),
  };
}
