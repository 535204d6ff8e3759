/**
 * WebSockets of the runtime that can be left in peace: one that is being closed is dropped, with all
 * that was not sent yet, as soon as its client sends another frame. Never looks into a frame.
 */
import type { Clock } from "../clock.ts";

/** Nothing tells when bytes have left; who says nothing for so long is taken to be silent. */
const LOOK_AGAIN_MS = 25;
/** Who reads at all has read a MiB by then. */
const QUIET_MAX_MS = 1_000;

/** Answers the request of a client that wants a WebSocket; the socket tells when it can be closed. */
export function webSockets(clock: Pick<Clock, "after">) {
  return (request: Request, options: Deno.UpgradeWebSocketOptions) => {
    const { socket, response } = Deno.upgradeWebSocket(request, options);
    return { socket: Object.assign(socket, { quiet: () => quiet(socket, clock) }), response };
  };
}

/** Resolves when what was sent is on its way and nothing more comes, or after {@link QUIET_MAX_MS}. */
function quiet(socket: WebSocket, clock: Pick<Clock, "after">): Promise<void> {
  return new Promise((resolve) => {
    let heard = false;
    let waitedMs = 0;
    const wait = () => clock.after(LOOK_AGAIN_MS, look);
    const look = () => {
      waitedMs += LOOK_AGAIN_MS;
      const isQuiet = !heard && socket.bufferedAmount === 0;
      if (isQuiet || waitedMs >= QUIET_MAX_MS) return resolve();
      heard = false;
      cancel = wait();
    };
    let cancel = wait();
    socket.addEventListener("message", () => heard = true);
    socket.addEventListener("close", () => {
      cancel();
      resolve();
    });
  });
}
