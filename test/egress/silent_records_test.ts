/** TLS records without data: how many a connection may bring, and that they are seen at all. */
import { assert, assertEquals } from "@std/assert";
import { once } from "node:events";
import { Socket } from "node:net";
import { connect } from "node:tls";
import { NODE_SOCKETS } from "../../src/egress/connection.ts";
import { failureOf } from "../../src/egress/failure.ts";
import { bytesReceived, endSilentRecords } from "../../src/egress/silent_records.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { answering } from "./destination.ts";
import { send } from "./sending.ts";
import { listenByTls, readFixture } from "./tls.ts";

const KIB = 1_024;

/** A connection, with what it has brought, and how much of that was data. */
function watched() {
  const clock = new FakeClock();
  const bytes = { received: 0, data: 0 };
  const socket = new Socket();
  const handle = {
    _nativeTcpHandle: { getBytesRead: () => bytes.received },
    close: (done?: () => void) => done?.(),
  };
  Object.defineProperty(socket, "_handle", { value: handle, writable: true });
  Object.defineProperty(socket, "bytesRead", { get: () => bytes.data });
  const failures: string[] = [];
  socket.on("error", (error) => failures.push(failureOf(error)));
  endSilentRecords(socket, clock);
  const pass = async () => {
    clock.advance(50);
    await new Promise((resolve) => setTimeout(resolve));
  };
  return { clock, bytes, socket, failures, pass };
}

Deno.test("a connection that brings records without data is ended, and looked at no more", async () => {
  const { clock, bytes, socket, failures, pass } = watched();
  bytes.received = 512 * KIB;
  await pass();
  assertEquals([socket.destroyed, failures, clock.pending], [false, [], 1]);
  bytes.received++;
  await pass();
  assertEquals([socket.destroyed, failures, clock.pending], [true, ["invalid_answer"], 0]);
});

Deno.test("one that brings data may bring three times as much in all", async () => {
  const { bytes, socket, pass } = watched();
  bytes.data = 10 * KIB;
  bytes.received = (512 + 30) * KIB;
  await pass();
  assertEquals(socket.destroyed, false);
  bytes.received++;
  await pass();
  assertEquals(socket.destroyed, true);
});

Deno.test("one that was closed is looked at no more", async () => {
  const { clock, socket, pass } = watched();
  socket.destroy();
  await pass();
  assertEquals(clock.pending, 0);
});

const ANSWER = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";

Deno.test("the runtime tells what came over the network, which is more than the data in it", async () => {
  await using destination = await listenByTls(answering(ANSWER));
  const { port } = destination;
  const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
  await once(socket, "secureConnect");
  socket.write("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n");
  await once(socket, "data");
  assertEquals(socket.bytesRead, ANSWER.length);
  assert(bytesReceived(socket) > ANSWER.length, `${bytesReceived(socket)} bytes`);
  socket.destroy();
  await once(socket, "close");
});

Deno.test("every connection by TLS is looked at, and such a destination did not answer in HTTP", async () => {
  await using destination = await listenByTls(answering(ANSWER));
  const extraCa = await readFixture("ca.pem");
  const outcomeOf = (bytesRead?: number) =>
    send(`https://dest.localhost:${destination.port}/`, {
      extraCa,
      sockets: {
        ...NODE_SOCKETS,
        tls: (where) => {
          const socket = NODE_SOCKETS.tls(where);
          if (bytesRead !== undefined) {
            Object.defineProperty(socket, "bytesRead", { value: bytesRead });
          }
          return socket;
        },
      },
    });
  assertEquals((await outcomeOf()).kind, "answered");
  const { kind, code } = { code: "", ...await outcomeOf(-1e6) };
  assertEquals([kind, code], ["failed", "invalid_answer"]);
});
