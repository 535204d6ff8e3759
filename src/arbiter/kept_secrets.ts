/**
 * Which secrets are valid: the present one, and former ones for a time. Pure; never drops the
 * present one.
 */

/** A secret as stored. */
export interface KeptSecret {
  readonly secret: string;
  /** When it was replaced, ms since the epoch; absent for the present one. */
  readonly formerSince?: number;
}

type FormerSecret = Required<KeptSecret>;

export interface KeepPolicy {
  readonly graceMs: number;
  readonly formerMax: number;
}

/** The secrets to keep once `secret` is the present one, newest first. */
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

/** The secrets whose tokens are still valid, the present one first, then the latest. */
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
 * service that keeps restarting leaves many, and must keep the one that signed the apps' tokens.
 */
function thinned(former: readonly FormerSecret[], max: number): readonly FormerSecret[] {
  if (former.length <= max) return former;
  // Each became present when the one before it became former; for the oldest, that is unknown.
  const presentMs = former.map(({ formerSince }, at) =>
    formerSince - (former[at + 1]?.formerSince ?? -Infinity)
  );
  return thinned(former.toSpliced(presentMs.lastIndexOf(Math.min(...presentMs)), 1), max);
}

function isFormer(kept: KeptSecret): kept is FormerSecret {
  return kept.formerSince !== undefined;
}
