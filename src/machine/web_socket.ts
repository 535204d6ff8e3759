/**
 * WebSockets of the runtime that can be left in peace. Deno 2.9.6 drops one that is being closed, with
 * all that was not sent yet, as soon as its client sends another frame; and waits for ever for the
 * Close of a client that sends nothing. Never looks into a frame.
 */
import type { Clock } from "../clock.ts";
import { SOCKET_CLOSE_MAX_MS, SOCKET_LOOK_AGAIN_MS, SOCKET_QUIET_MAX_MS } from "../limits.ts";
import type { SocketMemory } from "./socket_memory.ts";

type Timer = Pick<Clock, "after">;

/** Answers the request of a client that wants a WebSocket; the socket tells when it can be closed. */
export function webSockets(clock: Timer, memory?: SocketMemory) {
  return (request: Request, options: Deno.UpgradeWebSocketOptions) => {
    const { socket, response } = Deno.upgradeWebSocket(request, options);
    if (memory !== undefined) watch(socket, memory);
    const close = socket.close.bind(socket);
    const peaceful = Object.assign(socket, {
      quiet: () => quiet(socket, clock),
      close(code?: number, reason?: string) {
        // Nothing tells once it is being closed.
        const isRead = socket.bufferedAmount === 0;
        close(code, reason);
        if (isRead) dropUnlessClosed(socket, clock);
      },
    });
    return { socket: peaceful, response };
  };
}

function watch(socket: WebSocket, memory: SocketMemory): void {
  socket.addEventListener("open", () => {
    const leave = memory.add(() => drop(socket));
    socket.addEventListener("close", leave);
  });
}

/** Resolves when what was sent is on its way and nothing more comes, or when that takes too long. */
function quiet(socket: WebSocket, clock: Timer): Promise<void> {
  return new Promise((resolve) => {
    let heard = false;
    let waitedMs = 0;
    const wait = () => clock.after(SOCKET_LOOK_AGAIN_MS, look);
    const look = () => {
      waitedMs += SOCKET_LOOK_AGAIN_MS;
      const isQuiet = !heard && socket.bufferedAmount === 0;
      if (isQuiet || waitedMs >= SOCKET_QUIET_MAX_MS) return resolve();
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

/**
 * Not where something is unread: a write that waits would keep the descriptor and what it holds, and
 * only the place would be given back. Such a client counts for as long as it is there.
 */
function dropUnlessClosed(socket: WebSocket, clock: Timer): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  const cancel = clock.after(SOCKET_CLOSE_MAX_MS, () => drop(socket));
  socket.addEventListener("close", cancel);
}

/**
 * Closes the connection itself; the socket's close event follows. There is no public way: the number
 * of the runtime's resource is a hidden field. Where a later runtime has it no more, nothing happens,
 * and a test says so.
 */
function drop(socket: WebSocket): void {
  const hidden = Object.getOwnPropertySymbols(socket)
    .find(({ description }) => description === "[[rid]]");
  const { core } = Reflect.get(Deno, Reflect.get(Deno, "internal")) ?? {};
  if (hidden !== undefined) core?.tryClose?.(Reflect.get(socket, hidden));
}
