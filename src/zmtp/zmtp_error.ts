/**
 * How a request can fail. One error with a closed code; the message says what was seen of the peer
 * in words, never a key, a nonce or a byte of what was sent.
 */

export type ZmtpErrorCode =
  /** The server's key is not 32 bytes, or one that anybody can compute with. */
  | "server_key_invalid"
  /** What should be sent is above its limit. */
  | "request_too_large"
  /** The caller's signal ended it. */
  | "aborted"
  /** The connection ended or broke; libzmq does so when it was greeted with another server's key. */
  | "connection_lost"
  /** What came first is not a greeting of ZMTP. */
  | "greeting_invalid"
  /** The peer speaks ZMTP 1 or 2. */
  | "version_unsupported"
  /** The peer wants another security mechanism than CURVE. */
  | "mechanism_unsupported"
  | "frame_invalid"
  | "frame_too_large"
  /** Another command than the one that is due. */
  | "command_unexpected"
  | "command_malformed"
  /** A box does not open: altered on its way, or made by somebody else. */
  | "box_invalid"
  /** A nonce is not above the one before it: replayed, or out of order. */
  | "nonce_repeated"
  | "metadata_malformed"
  /** The peer is no socket that answers a REQ. */
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
