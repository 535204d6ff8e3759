/**
 * Tokens whose signature was verified recently, so that an app that comes again is not hashed again.
 * What a token says of the request and of time is judged at every one all the same; and a token is
 * good only as long as the key that signed it is. Never remembers a token that was refused: it costs
 * as much each time, so that only so much a second is spent on trying former keys.
 */
import { draw } from "../bucket.ts";
import { FORMER_KEY_HASHES_PER_SECOND, VERIFIED_TOKENS_MAX } from "../limits.ts";
import { type MaySpend, type VerifiedToken, type VerifyToken, verifyToken } from "./authorise.ts";

/** {@link verifyToken} with a memory for the `max` tokens used last, and a budget for former keys. */
export function rememberTokens(max: number = VERIFIED_TOKENS_MAX): VerifyToken {
  const remembered = new Map<string, VerifiedToken>();
  let fullAt: number | undefined;
  return (token, rootKeys, now) => {
    const maySpend: MaySpend = (hashes) => {
      const drawn = draw(fullAt, now, FORMER_KEY_HASHES_PER_SECOND, hashes);
      if (drawn.kind === "admitted") fullAt = drawn.fullAt;
      return drawn.kind === "admitted";
    };
    const known = remembered.get(token);
    remembered.delete(token);
    const verified = known !== undefined && rootKeys.includes(known.signer)
      ? known
      : verifyToken(token, rootKeys, maySpend);
    if (verified.kind === "refused") return verified;
    remembered.set(token, verified);
    const [oldest] = remembered.keys();
    if (remembered.size > max && oldest !== undefined) remembered.delete(oldest);
    return verified;
  };
}
