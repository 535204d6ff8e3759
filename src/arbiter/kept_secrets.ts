/**
 * Which secrets count: the present one, and former ones for a time. Pure; never forgets the present
 * one.
 */

/** A secret as it is kept. */
export interface KeptSecret {
  readonly secret: string;
  /** When another took its place, ms since the epoch; absent while it is the present one. */
  readonly formerSince?: number;
}

type FormerSecret = Required<KeptSecret>;

export interface KeepPolicy {
  readonly graceMs: number;
  readonly formerMax: number;
}

/** What is to be kept once `secret` is the present one, newest first. */
export function withPresent(
  kept: readonly KeptSecret[],
  secret: string,
  now: number,
  policy: KeepPolicy,
): KeptSecret[] {
  const former = kept
    .filter((other) => other.secret !== secret)
    .map((other) => ({ ...other, formerSince: other.formerSince ?? now }));
  return [{ secret }, ...usable(former, now, policy)];
}

/** Those whose tokens are still good, the present one first, then the latest. */
export function usable(
  kept: readonly KeptSecret[],
  now: number,
  { graceMs, formerMax }: KeepPolicy,
): KeptSecret[] {
  const former = kept.filter(isFormer)
    .filter(({ formerSince }) => now - formerSince < graceMs)
    .toSorted((one, other) => other.formerSince - one.formerSince);
  return [...kept.filter((one) => !isFormer(one)), ...thinned(former, formerMax)];
}

/**
 * At most `max` of `former`, latest first. Those that were present for the shortest time go: a
 * service that starts over and over leaves many, and must not lose the one that apps hold tokens of.
 */
function thinned(former: readonly FormerSecret[], max: number): readonly FormerSecret[] {
  if (former.length <= max) return former;
  // Each was present since the one before it became former; before the oldest, nobody knows.
  const presentMs = former.map(({ formerSince }, at) =>
    formerSince - (former[at + 1]?.formerSince ?? -Infinity)
  );
  return thinned(former.toSpliced(presentMs.lastIndexOf(Math.min(...presentMs)), 1), max);
}

function isFormer(kept: KeptSecret): kept is FormerSecret {
  return kept.formerSince !== undefined;
}
