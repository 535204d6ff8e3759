/** The open WebSockets: how many there may be, and how all are closed. Never looks into a frame. */
import { SOCKET_IDLE_SECONDS } from "../limits.ts";
import { type PlaceBounds, Places } from "./places.ts";

/** What the room needs of a socket. */
export interface ServerSocket extends
  Pick<
    WebSocket,
    "bufferedAmount" | "send" | "onopen" | "onmessage" | "onclose"
  > {
  /** Resolves when what was sent is on its way and no frame comes, or when that takes too long. */
  quiet(): Promise<void>;
  /** Sends a Close; `onclose` follows, unless the client neither reads nor disconnects. */
  close(code?: number, reason?: string): void;
}

/** Turns a request into a socket; the response must be returned unchanged. */
export type Upgrade = (
  request: Request,
  options: { readonly idleTimeout: number },
) => { readonly socket: ServerSocket; readonly response: Response };

/** Why a socket is closed, with a code of RFC 6455. */
export interface CloseReason {
  readonly code: 1001 | 1003 | 1008 | 1009 | 1013;
  readonly reason: string;
}

/** What answers on a socket. */
export interface SocketHandler {
  receive(data: unknown): void;
  /** Closes the socket as soon as what is in progress is answered; resolves then. */
  leave(closeReason: CloseReason): Promise<void>;
  /** The socket is gone. */
  end(): void;
}

export class Sockets {
  readonly #upgrade: Upgrade;
  readonly #places: Places;
  readonly #open = new Set<SocketHandler>();
  #closed = false;

  constructor(upgrade: Upgrade, bounds: PlaceBounds) {
    this.#upgrade = upgrade;
    this.#places = new Places(bounds);
  }

  /** How many are open at this moment. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether `owner` may not open another. */
  isFullFor(owner: string): boolean {
    return this.#closed || !this.#places.has(owner);
  }

  /** Answers an upgrade; `begin` is called once the socket is open. */
  open(request: Request, owner: string, begin: (socket: ServerSocket) => SocketHandler): Response {
    const { socket, response } = this.#upgrade(request, { idleTimeout: SOCKET_IDLE_SECONDS });
    // Counted only once open: no event reports a client that vanishes before that.
    socket.onopen = () => {
      const leave = this.#closed ? undefined : this.#places.take(owner);
      if (leave === undefined) return socket.close(1013, "Too many sockets are open");
      const handler = begin(socket);
      this.#open.add(handler);
      socket.onmessage = ({ data }) => handler.receive(data);
      socket.onclose = () => {
        this.#open.delete(handler);
        leave();
        handler.end();
      };
    };
    return response;
  }

  /** Closes all, now and from now on; resolves when every Close has been sent. */
  async close(): Promise<void> {
    this.#closed = true;
    const closeReason: CloseReason = { code: 1001, reason: "The service is stopping" };
    await Promise.all([...this.#open].map((handler) => handler.leave(closeReason)));
  }
}
