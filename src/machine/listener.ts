/**
 * Listens, and listens again after the runtime has given up: it does so when no file descriptor is
 * left for another connection, which anybody can bring about. Never looks at a request.
 */
import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import type { Log } from "../log.ts";
import { UsageError } from "./flags.ts";
import type { ListenerTls } from "./tls.ts";

/** By then, open connections may have ended and freed their descriptors. */
const LISTEN_AGAIN_MS = 1_000;

export interface Listener {
  readonly port: number;
  /**
   * Accepts no more connections once `socketsClosed` has resolved, since the runtime (Deno 2.9.6)
   * cuts off every WebSocket then. Resolves when every request is answered, or after `graceMs`: a
   * client that does not read its answer is not waited for.
   */
  stop(graceMs: number, socketsClosed?: Promise<void>): Promise<void>;
}

export interface ListenOptions {
  /** 0 for any free one. */
  readonly port: number;
  /** Certificate and key, PEM; without them, plain HTTP. */
  readonly tls: ListenerTls | undefined;
  readonly handler: Deno.ServeHandler;
  readonly clock: Pick<Clock, "after">;
  readonly log: Log;
}

/** @throws {UsageError} if another program has the port at the start, or the port is privileged */
export function listen({ port, tls, handler, clock, log }: ListenOptions): Listener {
  let stopped = false;
  let cancel = () => {};
  const serve = (port: number) => {
    const server = Deno.serve(
      { hostname: "0.0.0.0", port, onListen: () => {}, ...tls },
      handler,
    );
    server.finished.catch((error) => {
      log({ event: "listener.failed", error });
      again();
    });
    return server;
  };
  let server = begin(() => serve(port), port);
  const own = server.addr.port;
  const again = () => {
    if (stopped) return;
    cancel = clock.after(LISTEN_AGAIN_MS, () => {
      try {
        server = serve(own);
        log({ event: "listener.recovered" });
      } catch (error) {
        log({ event: "listener.failed", error });
        again();
      }
    });
  };
  return {
    port: own,
    async stop(graceMs, socketsClosed) {
      stopped = true;
      cancel();
      await withDeadline({ clock, timeoutMs: graceMs }, async () => {
        await socketsClosed;
        // Rejects if the server has failed; it has nothing left to answer then.
        await server.shutdown().catch(() => {});
      });
    },
  };
}

function begin<T>(serve: () => T, port: number): T {
  try {
    return serve();
  } catch (cause) {
    const fault = faultOf(cause, port);
    throw fault === undefined ? cause : new UsageError(`Cannot listen: ${fault}`, { cause });
  }
}

const ANOTHER = "set DATABOX_LOCAL_PORT or -p to another port";

function faultOf(error: unknown, port: number): string | undefined {
  if (error instanceof Deno.errors.AddrInUse) {
    return `another program has port ${port}; stop it, or ${ANOTHER}, 0 for any free one`;
  }
  if (error instanceof Deno.errors.PermissionDenied) {
    return `port ${port} takes a privilege that the process does not have, as those below 1024 ` +
      `may (${error.message}); ${ANOTHER}`;
  }
  return undefined;
}
