/** Every number that bounds what a token may be, or cost, with its reason. */

const KIB = 1_024;

/** Characters of a token: far above what an arbiter mints (under 1 KiB), small enough to hash at once. */
export const TOKEN_CHARS_MAX = 8 * KIB;
/** First-party caveats of a token, an HMAC each; an arbiter mints four, attenuation adds a few. */
export const CAVEATS_MAX = 32;
/** Bytes of one caveat: room for `destination = ` and the longest destination, in UTF-8. */
export const CAVEAT_BYTES_MAX = 4 * KIB;
/** Verified tokens remembered: more than a box has apps, and a few MiB at the longest. */
export const VERIFIED_TOKENS_MAX = 512;
/** Of these, of one owner: whoever adds caveats makes new tokens without end. */
export const VERIFIED_TOKENS_PER_OWNER_MAX = 16;
/**
 * HMACs a second for tokens that the present root key did not sign, on trying former ones: a tenth of
 * one processor, whoever sends what. Two thousand tokens of the secret before this one fit in.
 */
export const FORMER_KEY_HASHES_PER_SECOND = 10_000;
