/** Every number that bounds what a token may be, or cost, with its reason. */

const KIB = 1_024;

/** Characters of a token: far more than arbiters mint (under 1 KiB), few enough to hash at once. */
export const TOKEN_CHARS_MAX = 8 * KIB;
/** First-party caveats of a token, an HMAC each; an arbiter mints four, attenuation adds a few. */
export const CAVEATS_MAX = 32;
/** Bytes of one caveat: room for `destination = ` and the longest destination, in UTF-8. */
export const CAVEAT_BYTES_MAX = 4 * KIB;
/** Verified tokens remembered: more than a box has apps, a few MiB if all have the full length. */
export const VERIFIED_TOKENS_MAX = 512;
/** Once all are taken, an owner with more than this pushes out their own: caveats make new ones. */
export const VERIFIED_TOKENS_PER_OWNER_MAX = 16;
/**
 * HMACs a second spent on trying former root keys on tokens that the present one did not sign: a
 * tenth of one processor, whatever is sent. Enough for two thousand tokens of the previous secret.
 */
export const FORMER_KEY_HASHES_PER_SECOND = 10_000;
