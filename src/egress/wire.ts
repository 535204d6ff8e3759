/**
 * Watches what a connection carries for one request: cuts off an answer that gets nowhere, and says
 * whether the connection is fit for another request. Counts what comes, never parses it.
 */
import { Buffer } from "node:buffer";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { ANSWER_HEADER_BYTES_MAX, ANSWER_WIRE_FACTOR, INTERIM_ANSWERS_MAX } from "../limits.ts";
import { tooLong } from "./failure.ts";

/** Whether request and answer were transferred in full, and nothing else came. */
export type IsClear = () => boolean;

const BLANK_LINE = "\r\n\r\n";
/** What may be read of an answer before it is taken up, while others have their turn. */
const READ_AHEAD_BYTES = 65_536;
const NOTHING: Buffer = Buffer.alloc(0);

/**
 * Cuts off an answer that gets nowhere: interim answers, chunk extensions, empty lines without end.
 * The parser itself limits only the headers of one message.
 */
export function watch(outgoing: ClientRequest, socket: Socket, answerBytesMax: number): IsClear {
  let interim = 0;
  outgoing.on("information", () => {
    if (++interim > INTERIM_ANSWERS_MAX) outgoing.destroy(tooLong());
  });
  const bytesMax = 2 * ANSWER_HEADER_BYTES_MAX +
    ANSWER_WIRE_FACTOR * (answerBytesMax + READ_AHEAD_BYTES);
  let bytes = 0;
  let last = NOTHING;
  let answer: { readonly incoming: IncomingMessage; readonly headBytes: number } | undefined;
  let [isSent, isMore] = [false, false];
  const count = (part: Buffer) => {
    isMore ||= answer?.incoming.complete ?? false;
    bytes += part.length;
    last = part;
    if (bytes > bytesMax) outgoing.destroy(tooLong());
  };
  socket.on("data", count);
  outgoing.once("close", () => socket.off("data", count));
  outgoing.once("finish", () => isSent = true);
  outgoing.once("response", (incoming) => {
    // The last part holds the end of the head; if its blank line is split, the length is unknown.
    const blankLine = last.indexOf(BLANK_LINE);
    const headBytes = blankLine < 0 ? NaN : bytes - last.length + blankLine + BLANK_LINE.length;
    answer = { incoming, headBytes };
  });
  return () => {
    if (!isSent || isMore || !answer?.incoming.complete || !outgoing.shouldKeepAlive) return false;
    // The parser skips the start of a further head that came together with the end of an answer.
    const length = answer.incoming.headers["content-length"];
    return length === undefined
      ? last.subarray(-BLANK_LINE.length).equals(Buffer.from(BLANK_LINE))
      : answer.headBytes + Number(length) === bytes;
  };
}
