/** Every number that bounds something in this room, with its reason. Decides nothing else. */

const SECOND = 1_000;

/**
 * One attempt, from the name of the arbiter to its secret. A healthy one on the same machine needs
 * milliseconds; a machine that is just starting all of a box's containers needs some seconds.
 */
export const ARBITER_TIMEOUT_MS = 10 * SECOND;
/** Bound of the first delay: apps that ask the arbiter before this service did are sent away. */
export const ARBITER_BACKOFF_BASE_MS = SECOND / 2;
/** Bound of every later delay: an arbiter is noticed within this, before many apps are sent away. */
export const ARBITER_BACKOFF_CAP_MS = 5 * SECOND;
/** Former secrets at most, each tried on every token; a week needs more only in a crash loop. */
export const FORMER_SECRETS_MAX = 32;
/** Bytes of a secret. Arbiters send 36 or 43; more than this is something else. */
export const SECRET_BYTES_MAX = 1_024;
/** Bytes of a token for the arbiter; container managers write 44. */
export const ARBITER_TOKEN_BYTES_MAX = 4_096;
/** Bytes of this service's name: as many as a name in DNS may have. */
export const NAME_BYTES_MAX = 255;
/** Bytes of an answer over HTTPS: the secret, and some for an error text that is not looked at. */
export const HTTPS_ANSWER_BYTES_MAX = 4_096;
