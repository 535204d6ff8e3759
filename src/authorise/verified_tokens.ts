/**
 * Tokens whose signature was verified lately, so that an app that comes again is not hashed again.
 * What a token says of the request and of time is judged at every one all the same; and a token is
 * good only as long as the key that signed it is. Never remembers a token that was refused.
 */
import { VERIFIED_TOKENS_MAX } from "../limits.ts";
import { type VerifiedToken, type VerifyToken, verifyToken } from "./authorise.ts";

/** {@link verifyToken} with a memory for the {@link VERIFIED_TOKENS_MAX} tokens used last. */
export function rememberTokens(max: number = VERIFIED_TOKENS_MAX): VerifyToken {
  const remembered = new Map<string, VerifiedToken>();
  return (token, rootKeys) => {
    const known = remembered.get(token);
    remembered.delete(token);
    const verified = known !== undefined && rootKeys.includes(known.signer)
      ? known
      : verifyToken(token, rootKeys);
    if (verified.kind === "refused") return verified;
    remembered.set(token, verified);
    const [oldest] = remembered.keys();
    if (remembered.size > max && oldest !== undefined) remembered.delete(oldest);
    return verified;
  };
}
