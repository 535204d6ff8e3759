/**
 * A large response that goes out as it is read, so that it is known when it has gone: the runtime
 * keeps one handed over whole for as long as nobody reads it. Never looks into what is sent.
 */
import type { Clock } from "../clock.ts";
import { RESPONSE_STALL_MAX_MS } from "../limits.ts";

/** What the runtime takes at a time, and keeps of what the client has not read. */
const PIECE_BYTES = 65_536;

/**
 * A response with the body `json`. A client that reads nothing for {@link RESPONSE_STALL_MAX_MS}
 * loses the rest and the connection. `onEnd` is called once, however it ends.
 */
export function streamedJson(
  json: Uint8Array<ArrayBuffer>,
  clock: Pick<Clock, "after">,
  onEnd: () => void,
): Response {
  let rest = json;
  const headers = { "content-type": "application/json", "content-length": `${rest.length}` };
  let isOver = false;
  let cancelStall = () => {};
  const end = () => {
    if (isOver) return;
    isOver = true;
    rest = new Uint8Array();
    cancelStall();
    onEnd();
  };
  const expectReader = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    cancelStall = clock.after(RESPONSE_STALL_MAX_MS, () => {
      end();
      // Shorter than its declared length, so the runtime ends the connection.
      controller.close();
    });
  };
  const body = new ReadableStream<Uint8Array>({
    start: expectReader,
    pull(controller) {
      cancelStall();
      controller.enqueue(rest.subarray(0, PIECE_BYTES));
      rest = rest.subarray(PIECE_BYTES);
      if (rest.length > 0) return expectReader(controller);
      end();
      controller.close();
    },
    cancel: end,
  }, { highWaterMark: 0 });
  return new Response(body, { headers });
}
