/** When a socket may be closed, on a clock and a socket that the test holds. */
import { assertEquals } from "@std/assert";
import { systemClock } from "../../src/clock.ts";
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

Deno.test("a silent client is pinged, then closed, though its frames are counted", async () => {
  const closed = Promise.withResolvers<void>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const { socket, response } = webSockets(systemClock)(request, { idleTimeout: 1 });
    socket.onclose = () => closed.resolve();
    return response;
  });
  const conn = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
  const tooLate = setTimeout(() => conn.close(), 20_000);
  const head = ["GET / HTTP/1.1", "host: a", "upgrade: websocket", "connection: upgrade"]
    .concat(["sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version: 13", "", ""]);
  await conn.write(new TextEncoder().encode(head.join("\r\n")));
  const told = (await new Response(conn.readable).bytes()).slice(-40);
  clearTimeout(tooLate);
  const [ping, close] = [0x89, 0x88];
  assertEquals([told.includes(ping), told.includes(close)], [true, true]);
  await closed.promise;
  await server.shutdown();
});
