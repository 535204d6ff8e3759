/**
 * Tokens whose signature was verified recently, so that an app that comes again is not hashed again.
 * What a token says of the request and of time is judged at every one all the same; and a token is
 * good only as long as the key that signed it is. Never remembers a token that was refused: it costs
 * as much each time, so that only so much a second is spent on trying former keys.
 */
import { draw } from "../bucket.ts";
import {
  FORMER_KEY_HASHES_PER_SECOND,
  VERIFIED_TOKENS_MAX,
  VERIFIED_TOKENS_PER_OWNER_MAX,
} from "./token_limits.ts";
import { type MaySpend, type VerifiedToken, type VerifyToken, verifyToken } from "./authorise.ts";

/** {@link verifyToken} with a memory for the `max` tokens used last, and a budget for former keys. */
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

/** So many tokens, and fewer of one owner, so that nobody's can push out all others'. */
class VerifiedTokens {
  readonly #max: number;
  /** The one used longest ago first, as those of each owner are. */
  readonly #verified = new Map<string, VerifiedToken>();
  readonly #tokensOf = new Map<string, Set<string>>();

  constructor(max: number) {
    this.#max = max;
  }

  /** What is known of `token`, which is forgotten. */
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
    const [oldestOfOwner] = tokens;
    const [oldest] = this.#verified.keys();
    if (tokens.size > VERIFIED_TOKENS_PER_OWNER_MAX) this.take(oldestOfOwner ?? "");
    else if (this.#verified.size > this.#max) this.take(oldest ?? "");
  }
}
