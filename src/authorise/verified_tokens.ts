/**
 * Tokens whose signature was verified recently, so that those of returning apps need no hashing.
 * Caveats about the request and the time are judged at every request all the same, and a token is
 * good only as long as the key that signed it. Never remembers a refused token: it costs the same
 * each time, so trying former keys has a budget per second.
 */
import { draw } from "../bucket.ts";
import {
  FORMER_KEY_HASHES_PER_SECOND,
  VERIFIED_TOKENS_MAX,
  VERIFIED_TOKENS_PER_OWNER_MAX,
} from "./token_limits.ts";
import { type MaySpend, type VerifiedToken, type VerifyToken, verifyToken } from "./authorise.ts";

/** {@link verifyToken}, remembering the `max` tokens used last, with a budget for former keys. */
export function rememberTokens(max: number = VERIFIED_TOKENS_MAX): VerifyToken {
  const remembered = new VerifiedTokens(max);
  let fullAt: number | undefined;
  return (token, rootKeys, now) => {
    const maySpend: MaySpend = (hashes) => {
      const drawn = draw(fullAt, now, FORMER_KEY_HASHES_PER_SECOND, hashes);
      if (drawn.kind === "admitted") fullAt = drawn.fullAt;
      return drawn.kind === "admitted";
    };
    const known = remembered.take(token);
    const verified = known !== undefined && rootKeys.includes(known.signer)
      ? known
      : verifyToken(token, rootKeys, maySpend);
    if (verified.kind === "verified") remembered.put(token, verified);
    return verified;
  };
}

/** At most `max` tokens; once full, an owner with many pushes out their own, not those of others. */
export class VerifiedTokens {
  readonly #max: number;
  /** Least recently used first, as in each owner's set. */
  readonly #verified = new Map<string, VerifiedToken>();
  readonly #tokensOf = new Map<string, Set<string>>();

  constructor(max: number) {
    this.#max = max;
  }

  /** How many owners are remembered. */
  get owners(): number {
    return this.#tokensOf.size;
  }

  /** Returns what is known of `token`, and forgets it. */
  take(token: string): VerifiedToken | undefined {
    const verified = this.#verified.get(token);
    if (verified === undefined) return undefined;
    const { owner } = verified.grant;
    const tokens = this.#tokensOf.get(owner);
    this.#verified.delete(token);
    tokens?.delete(token);
    if (tokens?.size === 0) this.#tokensOf.delete(owner);
    return verified;
  }

  put(token: string, verified: VerifiedToken): void {
    const { owner } = verified.grant;
    const tokens = this.#tokensOf.get(owner) ?? new Set<string>();
    this.#tokensOf.set(owner, tokens.add(token));
    this.#verified.set(token, verified);
    if (this.#verified.size <= this.#max) return;
    // An owner's attenuated tokens, of which there may be any number, push out each other first.
    const [oldest = token] = tokens.size > VERIFIED_TOKENS_PER_OWNER_MAX
      ? tokens
      : this.#verified.keys();
    this.take(oldest);
  }
}
