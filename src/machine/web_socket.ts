/**
 * The runtime's WebSockets, made to close cleanly. Deno 2.9.6 drops one that is being closed, with
 * all that was not sent yet, as soon as its client sends another frame; and waits for ever for the
 * Close of a client that sends nothing. Never looks into a frame.
 */
import type { Clock } from "../clock.ts";
import {
  SOCKET_CLOSE_MAX_MS,
  SOCKET_FRAMES_A_TURN_MAX,
  SOCKET_LOOK_AGAIN_MS,
  SOCKET_QUIET_MAX_MS,
} from "../limits.ts";
import type { MemoryGrowth } from "./memory_growth.ts";

type Timer = Pick<Clock, "after">;

/** Answers a request for a WebSocket; the socket's `quiet` says when it can be closed. */
export function webSockets(clock: Timer, memory?: MemoryGrowth) {
  return (request: Request, options: Deno.UpgradeWebSocketOptions) => {
    const { socket, response } = Deno.upgradeWebSocket(request, options);
    if (memory !== undefined) watch(socket, memory);
    endFloods(socket, clock);
    const close = socket.close.bind(socket);
    const peaceful = Object.assign(socket, {
      quiet: () => quiet(socket, clock),
      close(code?: number, reason?: string) {
        // Read first: nothing shows it once the socket is being closed.
        const isRead = socket.bufferedAmount === 0;
        close(code, reason);
        if (isRead) dropUnlessClosed(socket, clock);
      },
    });
    return { socket: peaceful, response };
  };
}

function watch(socket: WebSocket, memory: MemoryGrowth): void {
  socket.addEventListener("open", () => {
    const leave = memory.add(() => drop(socket));
    socket.addEventListener("close", leave);
  });
}

/**
 * Drops a client that sends frames without a pause: the runtime reads on as long as there are any,
 * and serves nobody else meanwhile. Pongs raise no event, but like any frame they reset the
 * runtime's timer, by a hidden method, which is where they are counted.
 */
function endFloods(socket: WebSocket, clock: Timer): void {
  const hidden = hiddenKey(WebSocket.prototype, "[[serverHandleIdleTimeout]]");
  if (hidden === undefined) return;
  const heard: () => void = Reflect.get(socket, hidden);
  let frames = 0;
  let cancel = () => {};
  const count = () => {
    if (frames++ === 0) cancel = clock.after(0, () => frames = 0);
    if (frames > SOCKET_FRAMES_A_TURN_MAX) drop(socket);
    heard.call(socket);
  };
  Object.defineProperty(socket, hidden, { value: count });
  socket.addEventListener("close", () => cancel());
}

/** Resolves when what was sent is on its way and no frame comes, or when that takes too long. */
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
 * Not for a socket with unread bytes: a pending write would keep the descriptor and what it holds,
 * and only the place would be given back. Such a client counts for as long as it is there.
 */
function dropUnlessClosed(socket: WebSocket, clock: Timer): void {
  if (socket.readyState === WebSocket.CLOSED) return;
  const cancel = clock.after(SOCKET_CLOSE_MAX_MS, () => drop(socket));
  socket.addEventListener("close", cancel);
}

/**
 * Closes the connection itself; the socket's close event follows. Closes the socket first: the
 * runtime looks up the connection of one that counts as open, and panics if that is gone.
 */
function drop(socket: WebSocket): void {
  if (socket.readyState === WebSocket.OPEN) WebSocket.prototype.close.call(socket);
  const hidden = hiddenKey(socket, "[[rid]]");
  const { core } = Reflect.get(Deno, Reflect.get(Deno, "internal")) ?? {};
  if (hidden !== undefined) core?.tryClose?.(Reflect.get(socket, hidden));
}

/**
 * The runtime's private symbol for something without a public API. If a later runtime no longer has
 * it, nothing happens, and a test fails.
 */
function hiddenKey(owner: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description);
}
