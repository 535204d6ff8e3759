/** The limits of this room, each with its reason. Decides nothing else. */

const SECOND = 1_000;

/**
 * One attempt, from looking up the arbiter to its secret. A healthy one on the same machine needs
 * milliseconds; a machine that is just starting all of a box's containers needs some seconds.
 */
export const ARBITER_TIMEOUT_MS = 10 * SECOND;
/** Bound of the first delay: the arbiter refuses apps that ask it before this service has. */
export const ARBITER_BACKOFF_BASE_MS = SECOND / 2;
/** Bound of every later delay: an arbiter is noticed within this, before it refuses many apps. */
export const ARBITER_BACKOFF_CAP_MS = 5 * SECOND;
/** Limit of former secrets, tried in turn on a token of none before; a crash loop leaves more. */
export const FORMER_SECRETS_MAX = 32;
/** Bytes of a secret. Arbiters send 36 or 43; more than this is something else. */
export const SECRET_BYTES_MAX = 1_024;
/** Bytes of a token for the arbiter; container managers write 44. */
export const ARBITER_TOKEN_BYTES_MAX = 4_096;
/** Bytes of this service's name: the limit of a DNS name. */
export const NAME_BYTES_MAX = 255;
/** Characters of a failure's detail: it may list every name of a certificate. */
export const DETAIL_CHARS_MAX = 500;
/** Bytes of an answer over HTTPS: the secret, and room for an error text, which is ignored. */
export const HTTPS_ANSWER_BYTES_MAX = 4_096;
