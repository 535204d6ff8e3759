/** When a socket may be closed, on a clock and a socket that the test holds. */
import { assertEquals } from "@std/assert";
import { type Clock, systemClock } from "../../src/clock.ts";
import { MemoryGrowth } from "../../src/machine/memory_growth.ts";
import { webSockets } from "../../src/machine/web_socket.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const LOOK_MS = 25;

/** The runtime's socket, as far as this file needs it. */
class HeldSocket extends EventTarget {
  bufferedAmount = 0;
  readyState: number = WebSocket.OPEN;

  close(): void {
    if (this.readyState === WebSocket.OPEN) this.readyState = WebSocket.CLOSING;
  }

  hear(): void {
    this.dispatchEvent(new MessageEvent("message", { data: "{}" }));
  }

  gone(): void {
    this.readyState = WebSocket.CLOSED;
    this.dispatchEvent(new CloseEvent("close"));
  }
}

/** A socket that is to be closed as soon as it is quiet; `isQuiet` lets everything run. */
function leaving() {
  const held = new HeldSocket();
  const clock = new FakeClock();
  const { upgradeWebSocket } = Deno;
  Object.assign(Deno, { upgradeWebSocket: () => ({ socket: held, response: new Response() }) });
  try {
    const { socket } = webSockets(clock)(new Request("http://a.example/"), {});
    let resolved = false;
    void socket.quiet().then(() => resolved = true);
    const isQuiet = async () => {
      await new Promise((resolve) => setTimeout(resolve));
      return resolved;
    };
    const look = async () => {
      clock.advance(LOOK_MS);
      return await isQuiet();
    };
    return { held, clock, socket, isQuiet, look };
  } finally {
    Object.assign(Deno, { upgradeWebSocket });
  }
}

Deno.test("a socket is quiet when nothing was heard between two looks", async () => {
  const { clock, isQuiet, look } = leaving();
  assertEquals([await isQuiet(), await look(), clock.pending], [false, true, 0]);
});

Deno.test("a client that goes on sending is waited for, until it is silent for a look", async () => {
  const { held, clock, look } = leaving();
  for (let n = 0; n < 10; n++) {
    held.hear();
    assertEquals(await look(), false);
  }
  assertEquals([await look(), clock.pending], [true, 0]);
});

Deno.test("what was sent and has not left is waited for", async () => {
  const { held, clock, look } = leaving();
  held.bufferedAmount = 1;
  for (let n = 0; n < 10; n++) assertEquals(await look(), false);
  held.bufferedAmount = 0;
  assertEquals([await look(), clock.pending], [true, 0]);
});

Deno.test("nobody is waited for longer than a second, neither who sends nor who does not read", async () => {
  const goings: ((held: HeldSocket) => void)[] = [
    (held) => held.hear(),
    (held) => held.bufferedAmount = 1,
  ];
  for (const goOn of goings) {
    const { held, clock, look } = leaving();
    for (let waited = LOOK_MS; waited < 1_000; waited += LOOK_MS) {
      goOn(held);
      assertEquals(await look(), false, `${waited} ms`);
    }
    goOn(held);
    assertEquals([await look(), clock.pending], [true, 0]);
  }
});

Deno.test("a socket that is gone is quiet at once", async () => {
  const { held, clock, isQuiet } = leaving();
  held.gone();
  assertEquals([await isQuiet(), clock.pending], [true, 0]);
});

Deno.test("who has read all has 5 s to answer our Close, unless they are gone already", async () => {
  const { held, clock, socket, look } = leaving();
  await look();
  socket.close(1000);
  assertEquals(clock.untilNext, 5_000);
  held.gone();
  assertEquals(clock.pending, 0);
  socket.close(1000);
  assertEquals(clock.pending, 0);
});

/** The runtime's own sockets at a port, each passed to `onSocket`; and clients, as bare TCP. */
function serveSockets(
  onSocket: (socket: WebSocket) => void,
  { clock = systemClock, memory, idleTimeout = 0 }: {
    readonly clock?: Pick<Clock, "after">;
    readonly memory?: MemoryGrowth;
    readonly idleTimeout?: number;
  },
) {
  const upgrade = webSockets(clock, memory);
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = upgrade(request, { idleTimeout });
    onSocket(socket);
    return response;
  });
  const head = ["GET / HTTP/1.1", "host: a", "upgrade: websocket", "connection: upgrade"]
    .concat(["sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version: 13", "", ""]);
  return {
    connect: async () => {
      const { hostname, port } = server.addr;
      const conn = await Deno.connect({ hostname, port });
      await conn.write(new TextEncoder().encode(head.join("\r\n")));
      return conn;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("a frame that ends a flood is heard like others, by a socket that is no longer open", async () => {
  const seen: [state: number, buffered: number][] = [];
  const closed = Promise.withResolvers<void>();
  await using server = serveSockets((socket) => {
    socket.onmessage = () => {
      seen.push([socket.readyState, socket.bufferedAmount]);
      socket.send("the connection of this is gone");
    };
    socket.onclose = () => closed.resolve();
  }, { clock: new FakeClock() });
  const conn = await server.connect();
  const [pong, text] = [[0x8a, 0x80, 0, 0, 0, 0], [0x81, 0x81, 0, 0, 0, 0, 0x31]];
  const flood = Array.from({ length: 4_200 }, (_, n) => n < 4_000 ? pong : text).flat();
  await new Blob([new Uint8Array(flood)]).stream().pipeTo(conn.writable, { preventClose: true });
  await closed.promise;
  assertEquals(seen.at(-1), [WebSocket.CLOSING, 0]);
  conn.close();
});

Deno.test("a socket ended for the memory of all can be asked and sent to, in vain", async () => {
  const looks = new FakeClock();
  const opened = Promise.withResolvers<WebSocket>();
  let bytes = 0;
  const memory = new MemoryGrowth({
    clock: looks,
    onGrown: () => {},
    bytesMax: 100,
    memory: () => bytes,
  });
  const gone = Promise.withResolvers<void>();
  await using server = serveSockets((socket) => {
    socket.onopen = () => opened.resolve(socket);
    socket.onclose = () => gone.resolve();
  }, { memory });
  const conn = await server.connect();
  const socket = await opened.promise;
  looks.advance(100);
  bytes = 101;
  looks.advance(100);
  assertEquals([socket.readyState, socket.bufferedAmount], [WebSocket.CLOSING, 0]);
  socket.send("the connection of this is gone");
  await gone.promise;
  conn.close();
});

Deno.test("a silent client is pinged, then closed, though its frames are counted", async () => {
  const closed = Promise.withResolvers<void>();
  await using server = serveSockets((socket) => {
    socket.onclose = () => closed.resolve();
  }, { idleTimeout: 1 });
  const conn = await server.connect();
  const tooLate = setTimeout(() => conn.close(), 20_000);
  const told = (await new Response(conn.readable).bytes()).slice(-40);
  clearTimeout(tooLate);
  const [ping, close] = [0x89, 0x88];
  assertEquals([told.includes(ping), told.includes(close)], [true, true]);
  await closed.promise;
});
