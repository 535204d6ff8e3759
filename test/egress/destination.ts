/**
 * A destination on this machine that does what a test tells it to, byte by byte. Listens on a free
 * port; leaves no connection behind.
 */

/** What happens on one connection, which is closed afterwards. */
export type Act = (conn: Deno.Conn) => Promise<unknown>;

export interface Destination extends AsyncDisposable {
  readonly port: number;
  /** Connections so far. */
  readonly accepted: number;
}

export function listen(act: Act, hostname = "127.0.0.1", port = 0): Destination {
  return serve(act, Deno.listen({ hostname, port }));
}

export function serve(act: Act, listener: Deno.TcpListener | Deno.TlsListener): Destination {
  let accepted = 0;
  const serving = (async () => {
    const acts: Promise<void>[] = [];
    for await (const conn of listener) {
      accepted++;
      acts.push(play(act, conn));
    }
    await Promise.all(acts);
  })();
  return {
    port: listener.addr.port,
    get accepted() {
      return accepted;
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

async function play(act: Act, conn: Deno.Conn): Promise<void> {
  try {
    await act(conn);
  } catch {
    // The other side has left, as it should in many tests.
  } finally {
    conn.close();
  }
}

/** Reads one request with a `content-length`, as text of one byte a character. */
export async function hear(conn: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(16_384);
  for (let heard = "";;) {
    const size = await conn.read(buffer);
    if (size === null) return heard;
    heard += String.fromCharCode(...buffer.subarray(0, size));
    const [head = "", body] = heard.split("\r\n\r\n");
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
    if (body !== undefined && body.length >= length) return heard;
  }
}

export async function say(conn: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
}

/** Hears a request and says `text`. */
export function answering(text: string): Act {
  return async (conn) => {
    await hear(conn);
    await say(conn, text);
  };
}

/** Hears a request, says `start`, and then `more` without end. */
export function flooding(start: string, more: string): Act {
  return async (conn) => {
    await hear(conn);
    for (await say(conn, start);;) await say(conn, more);
  };
}

/** Stays and says nothing until the other side leaves. */
export const silent: Act = async (conn) => {
  const buffer = new Uint8Array(65_536);
  while (await conn.read(buffer) !== null);
};
