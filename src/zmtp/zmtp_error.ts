/**
 * How a request can fail: one error with a closed set of codes. The message says in words what was
 * seen of the peer, never a key, a nonce or a byte of what was sent.
 */

export type ZmtpErrorCode =
  /** The server's key is not 32 bytes, or yields a shared key that anybody can compute. */
  | "server_key_invalid"
  /** The request is above its limit. */
  | "request_too_large"
  /** The caller's signal ended it. */
  | "aborted"
  /** The connection ended or broke. */
  | "connection_lost"
  /** The same, right after our HELLO: libzmq closes if that was sealed for another server's key. */
  | "hello_unanswered"
  /** The first bytes are not a ZMTP greeting. */
  | "greeting_invalid"
  /** The peer speaks ZMTP 1 or 2. */
  | "version_unsupported"
  /** The peer wants a security mechanism other than CURVE. */
  | "mechanism_unsupported"
  | "frame_invalid"
  | "frame_too_large"
  /** A command other than the one that is due. */
  | "command_unexpected"
  | "command_malformed"
  /** A box does not open: altered in transit, or made by somebody else. */
  | "box_invalid"
  /** A nonce is not above the one before it: replayed, or out of order. */
  | "nonce_repeated"
  | "metadata_malformed"
  /** The peer is not a socket that answers a REQ. */
  | "socket_type_wrong"
  /** The peer refuses the connection with an ERROR command. */
  | "refused_by_peer"
  /** The reply is not an empty delimiter followed by one frame. */
  | "reply_malformed";

export class ZmtpError extends Error {
  override readonly name = "ZmtpError";
  readonly code: ZmtpErrorCode;

  constructor(code: ZmtpErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
