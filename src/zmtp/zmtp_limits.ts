/** The limits of this room, each with its reason. Decides nothing else. */

const KIB = 1_024;

/** Body of a handshake command: WELCOME has 168 bytes; READY, with its metadata, under 1 KiB. */
export const HANDSHAKE_BYTES_MAX = 4 * KIB;
/** A request, sent whole before anything is read, so that it must fit the buffers of any system. */
export const REQUEST_BYTES_MAX = 64 * KIB;
/** Body of a reply: far above any answer to one question. */
export const REPLY_BYTES_MAX = 64 * KIB;
/** Read at once from the connection: one system call for all replies but the largest. */
export const READ_BYTES = 16 * KIB;
/** Context of a PING, to be sent back: ZMTP 3.1 allows 16 bytes. */
export const PING_CONTEXT_BYTES_MAX = 16;
