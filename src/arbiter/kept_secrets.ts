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
  const present = kept.filter(({ formerSince }) => formerSince === undefined);
  const former = kept
    .filter(({ formerSince }) => formerSince !== undefined && now - formerSince < graceMs)
    .toSorted((one, other) => (other.formerSince ?? 0) - (one.formerSince ?? 0))
    .slice(0, formerMax);
  return [...present, ...former];
}
