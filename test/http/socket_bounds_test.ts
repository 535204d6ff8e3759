/** What one socket may cost, on sockets that a test holds in its hand. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { requestBytesMax } from "../../src/http/request.ts";
import type { ServerSocket } from "../../src/http/sockets.ts";
import { defined } from "../fakes/expect.ts";
import {
  answered,
  openTestService,
  type TestService,
  type TestServiceOptions,
} from "../fakes/test_service.ts";
import { type Frame, NEW, until, UPGRADE } from "./socket_client.ts";

const MIB = 1_048_576;
const SLOW = 262_144;
const UNKNOWN = "11111111-2222-4333-8444-555555555555";

/** A socket without a client: it shows what was sent, and is as full as the test says. */
class FakeSocket implements ServerSocket {
  bufferedAmount = 0;
  bytesPerFrame = 0;
  /** Whether nothing of what is sent is read. */
  counts = false;
  onopen: ServerSocket["onopen"] = null;
  onmessage: ServerSocket["onmessage"] = null;
  onclose: ServerSocket["onclose"] = null;
  readonly frames: Frame[] = [];
  readonly codes: (number | undefined)[] = [];
  /** How often somebody waited until it is quiet. */
  waits = 0;
  readonly #events = new EventTarget();

  send(frame: unknown): void {
    this.frames.push(JSON.parse(String(frame)));
    this.bufferedAmount += this.counts ? String(frame).length : this.bytesPerFrame;
  }

  quiet(): Promise<void> {
    this.waits++;
    return Promise.resolve();
  }

  close(code?: number): void {
    this.codes.push(code);
  }

  /** Makes the runtime's event happen. */
  fire(event: Event): void {
    const handler = event.type === "open"
      ? this.onopen
      : event.type === "message"
      ? this.onmessage
      : this.onclose;
    // Handlers take their events only from a socket, and nothing of it but these.
    const listener = handler as ((event: Event) => void) | null;
    if (listener === null) return;
    this.#events.addEventListener(event.type, listener, { once: true });
    this.#events.dispatchEvent(event);
  }

  receive(frame: unknown): void {
    const data = typeof frame === "string" ? frame : JSON.stringify(frame);
    this.fire(new MessageEvent("message", { data }));
  }

  get states(): unknown[] {
    return this.frames.map(({ state }) => state);
  }

  statesOf(id: string | undefined): unknown[] {
    return this.frames.filter((frame) => frame.id === id).map(({ state }) => state);
  }
}

/** A service whose sockets are the test's; `open` asks for one more. */
async function heldService(options: TestServiceOptions = {}) {
  const sockets: FakeSocket[] = [];
  const service = await openTestService({
    ...options,
    upgrade() {
      const socket = new FakeSocket();
      sockets.push(socket);
      return { socket, response: new Response() };
    },
  });
  const ask = async () => {
    const token = service.token({ path: "/ws/export", method: "GET" });
    const headers = { ...UPGRADE, "x-api-key": token };
    const { status } = await service.app.request("/ws/export", { headers });
    assertEquals(status, 200);
    return defined(sockets.at(-1));
  };
  const open = async () => {
    const socket = await ask();
    socket.fire(new Event("open"));
    return socket;
  };
  return { service, ask, open };
}

function close(socket: FakeSocket): void {
  socket.fire(new CloseEvent("close"));
}

Deno.test("two who come for the last socket at once: the later is told to come again", async () => {
  const { service, ask } = await heldService({ socketsMax: 1 });
  await using _ = service;
  const [first, second] = [await ask(), await ask()];
  assertEquals(service.sockets.size, 0, "a socket counts once it is open");
  first.fire(new Event("open"));
  second.fire(new Event("open"));
  assertEquals([first.codes, second.codes, service.sockets.size], [[], [1013], 1]);
  close(first);
  assertEquals(service.sockets.size, 0);
});

Deno.test("of a socket the runtime is told to close it when its client is silent for 30 s", async () => {
  const timeouts: number[] = [];
  await using service = await openTestService({
    upgrade(_request, { idleTimeout }) {
      timeouts.push(idleTimeout);
      return { socket: new FakeSocket(), response: new Response() };
    },
  });
  const token = service.token({ path: "/ws/export", method: "GET" });
  await service.app.request("/ws/export", { headers: { ...UPGRADE, "x-api-key": token } });
  assertEquals(timeouts, [30]);
});

Deno.test("a socket that never opens counts for nothing", async () => {
  const { service, ask, open } = await heldService({ socketsMax: 1 });
  await using _ = service;
  for (let n = 0; n < 3; n++) await ask();
  close(await open());
});

Deno.test("while all are told to go nobody may come, nor one who has asked before", async () => {
  const { service, ask } = await heldService();
  await using _ = service;
  const late = await ask();
  assertEquals(service.sockets.isFullFor("anybody"), false);
  await service.sockets.close();
  assertEquals(service.sockets.isFullFor("anybody"), true);
  late.fire(new Event("open"));
  assertEquals([late.codes, service.sockets.size], [[1013], 0]);
});

Deno.test("a slow client is told the newest state once, and its frames wait", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  const { service, open } = await heldService({ destination: () => arrival.promise });
  await using _ = service;
  const socket = await open();
  socket.bufferedAmount = SLOW;
  socket.receive(NEW);
  await until(() => socket.frames.length === 2);
  assertEquals(socket.states, ["Pending", "Processing"], "so much unsent is not slow yet");
  socket.bufferedAmount++;
  arrival.resolve(answered("news"));
  await until(() => service.waiters.size === 0);
  socket.receive(NEW);
  service.clock.advance(20_000);
  await service.worker.idle();
  assertEquals([socket.frames.length, service.sent.length], [2, 1]);
  socket.bufferedAmount = 0;
  service.clock.advance(25);
  await until(() => socket.states.filter((state) => state === "Finished").length === 2);
  assertEquals(socket.statesOf(socket.frames[0]?.id), ["Pending", "Processing", "Finished"]);
  close(socket);
});

Deno.test("a frame that waited for a slow client is answered once it reads, though nothing else is due", async () => {
  const { service, open } = await heldService();
  await using _ = service;
  const socket = await open();
  socket.bytesPerFrame = 2 * MIB;
  socket.receive("nonsense");
  await until(() => socket.frames.length === 1);
  socket.bytesPerFrame = 0;
  socket.receive("nonsense");
  socket.bufferedAmount = 0;
  service.clock.advance(25);
  await new Promise((resolve) => setTimeout(resolve)); // All that follows takes no turn.
  assertEquals(socket.frames.map(({ status }) => status), [400, 400]);
  close(socket);
});

Deno.test("a client may be slow again and again, but not for 30 s in one piece", async () => {
  const { service, open } = await heldService();
  await using _ = service;
  const socket = await open();
  socket.bytesPerFrame = 2 * MIB;
  for (const round of [1, 2, 3]) {
    socket.receive("nonsense");
    await until(() => socket.frames.length === round);
    service.clock.advance(29_975);
    assertEquals(socket.codes, []);
    if (round === 3) break;
    socket.bufferedAmount = 0;
    service.clock.advance(25);
  }
  service.clock.advance(25);
  assertEquals([socket.codes, service.clock.pending], [[1008], 0]);
  close(socket);
});

Deno.test("of large answers only so much is unread on all sockets of an owner, whatever JSON makes of them", async () => {
  // Each takes half of what an owner may have, since it may be more than that.
  const answers = { total: 900_000, perOwner: 700_000 };
  const { service, open } = await heldService({
    destination: () => answered("\u0001".repeat(100_000)),
    bounds: { answers },
  });
  await using _ = service;
  const sockets = [await open(), await open(), await open(), await open()];
  const told = () => sockets.filter(({ states }) => states.includes("Finished")).length;
  for (const socket of sockets) {
    socket.counts = true;
    socket.receive(NEW);
  }
  await service.worker.idle();
  await until(() => told() === 2);
  service.clock.advance(25);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(told(), 2, "1.2 MB of JSON are unread, and there is no room for more");
  // One reads, and one goes without having read: room for two more, one after the other.
  for (const round of [3, 4]) {
    const unread = defined(sockets.find(({ bufferedAmount }) => bufferedAmount > 600_000));
    if (round === 3) unread.bufferedAmount = 0;
    else close(unread);
    await until(() => {
      service.clock.advance(25);
      return told() === round;
    });
  }
  for (const socket of sockets) close(socket);
});

Deno.test("an answer that was sent counts as long as it is in JSON, not as long as it might have been", async () => {
  const { service, open } = await heldService({
    destination: () => answered("x".repeat(100_000)),
    bounds: { answers: { total: 700_000, perOwner: 700_000 } },
  });
  await using _ = service;
  for (let n = 1; n <= 4; n++) {
    const socket = await open();
    socket.counts = true;
    socket.receive(NEW);
    await until(() => {
      service.clock.advance(25);
      return socket.states.includes("Finished") || socket.codes.length > 0;
    });
    assertEquals(socket.codes, [], `${n} are unread`);
  }
});

Deno.test("a large answer without room holds up no other export of its socket", async () => {
  const { service, open } = await heldService({
    destination: () => answered("x".repeat(100_000)),
    bounds: { answers: { total: 700_000, perOwner: 700_000 } },
  });
  await using _ = service;
  const { id } = await service.submit();
  await service.worker.idle();
  const going = Promise.withResolvers<void>();
  const answer = service.ledger.answer.bind(service.ledger);
  service.ledger.answer = async (record) => {
    await going.promise;
    return await answer(record);
  };
  // While they are read, the answers of the first two take all the room.
  const sockets = [await open(), await open(), await open()];
  for (const socket of sockets) socket.receive({ ...NEW, id });
  const last = defined(sockets.at(-1));
  last.receive(NEW);
  await until(() => last.states.includes("Pending") || service.waiters.size === 1);
  assertEquals(last.states[0], "Pending");
  going.resolve();
  for (const socket of sockets) close(socket);
});

Deno.test("whoever reads nothing does not hold up a stop, though more is due than is sent", async () => {
  const { service, open } = await heldService({ destination: () => answered("x".repeat(150_000)) });
  await using _ = service;
  const socket = await open();
  socket.counts = true;
  socket.receive(NEW);
  await until(() => socket.states.includes("Finished"));
  socket.receive(NEW);
  await service.worker.idle();
  await until(() => socket.frames.length > 3 && service.waiters.size === 0);
  let isOver = false;
  const closing = service.sockets.close().then(() => isOver = true);
  await until(() => {
    service.clock.advance(25);
    return isOver;
  });
  await closing;
  assertEquals([socket.codes, service.clock.elapsed < 1_000], [[1001], true]);
  close(socket);
});

Deno.test("an answer that is being read when the service stops is told before the Close", async () => {
  const { service, open } = await heldService();
  await using _ = service;
  const { id } = await service.submit();
  await service.worker.idle();
  const [asked, going] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const answer = service.ledger.answer.bind(service.ledger);
  service.ledger.answer = async (record) => {
    asked.resolve();
    await going.promise;
    return await answer(record);
  };
  const socket = await open();
  socket.receive({ ...NEW, id });
  await asked.promise;
  const closing = service.sockets.close();
  await new Promise((resolve) => setTimeout(resolve)); // All that could be done takes no turn.
  assertEquals(socket.codes, []);
  going.resolve();
  await closing;
  assertEquals([socket.states, socket.codes], [["Finished"], [1001]]);
  close(socket);
});

Deno.test("a client that reads is told all that is due before the Close of a stop", async () => {
  const { service, open } = await heldService({ destination: () => answered("x".repeat(150_000)) });
  await using _ = service;
  const ids = [await service.submit(), await service.submit()].map(({ id }) => id);
  await service.worker.idle();
  const socket = await open();
  socket.counts = true;
  for (const id of ids) socket.receive({ ...NEW, id });
  await until(() => socket.frames.length === 1);
  const closing = service.sockets.close();
  await new Promise((resolve) => setTimeout(resolve)); // All that could be done takes no turn.
  assertEquals(socket.codes, []);
  socket.bufferedAmount = 0;
  service.clock.advance(25);
  await closing;
  assertEquals([socket.states, socket.codes], [["Finished", "Finished"], [1001]]);
  close(socket);
});

Deno.test("who reads nothing of small answers either is sent away after 30 s, if more are due", async () => {
  const { service, open } = await heldService({ destination: () => answered("x".repeat(10_000)) });
  await using _ = service;
  const socket = await open();
  socket.counts = true;
  for (let n = 0; n < 40; n++) socket.receive(NEW);
  await until(() => socket.bufferedAmount > 240_000 && service.waiters.size === 0);
  service.clock.advance(29_000);
  assertEquals(socket.codes, []);
  await until(() => {
    service.clock.advance(25);
    return socket.codes.length > 0;
  });
  assertEquals([socket.codes, service.clock.elapsed < 32_000], [[1008], true]);
  close(socket);
});

Deno.test("who leaves a large answer unread for 30 s is sent away, however little that is", async () => {
  const { service, open } = await heldService({
    destination: () => answered("x".repeat(20_000)),
  });
  await using _ = service;
  const socket = await open();
  socket.counts = true;
  socket.receive(NEW);
  await until(() => socket.states.includes("Finished"));
  service.clock.advance(29_975);
  assertEquals(socket.codes, []);
  service.clock.advance(25);
  await until(() => socket.codes.length > 0);
  assertEquals(socket.codes, [1008]);
  close(socket);
});

Deno.test("nobody looks at a slow client that is gone", async () => {
  const { service, open } = await heldService();
  await using _ = service;
  const socket = await open();
  socket.bytesPerFrame = 2 * MIB;
  socket.receive("nonsense");
  await until(() => service.clock.pending === 1);
  close(socket);
  assertEquals(service.clock.pending, 0);
});

Deno.test("frames that wait for a slow client are bounded in number and in bytes", async () => {
  const largest = `"${"x".repeat(requestBytesMax(1_000) - 2)}"`;
  for (const [frame, bound] of [["{}", 256], [largest, 8]] as const) {
    const { service, open } = await heldService({ payloadBytesMax: 1_000 });
    await using _ = service;
    const socket = await open();
    socket.bufferedAmount = 2 * MIB;
    for (let n = 0; n < bound; n++) socket.receive(frame);
    assertEquals(socket.codes, []);
    for (let n = 0; n < 3; n++) socket.receive(frame);
    assertEquals([socket.codes, socket.frames], [[1008], []]);
    close(socket);
    assertEquals(service.clock.pending, 0);
  }
});

Deno.test("a socket may bring any number of frames of the largest size, one after the other", async () => {
  const { service, open } = await heldService({ payloadBytesMax: 1_000 });
  await using _ = service;
  const socket = await open();
  for (let n = 1; n <= 20; n++) {
    socket.receive(`"${"x".repeat(requestBytesMax(1_000) - 2)}"`);
    await until(() => socket.frames.length === n || socket.codes.length > 0);
    assertEquals(socket.codes, []);
  }
  close(socket);
});

Deno.test("a socket may open any number of exports, if not too many at a time", async () => {
  const { service, open } = await heldService();
  await using _ = service;
  const socket = await open();
  const finished = () => socket.states.filter((state) => state === "Finished").length;
  for (let opened = 100; opened <= 300; opened += 100) {
    for (let n = 0; n < 100; n++) socket.receive(NEW);
    await until(() => finished() === opened || socket.codes.length > 0);
    assertEquals(socket.codes, []);
  }
  close(socket);
});

Deno.test("frames of all sockets of an owner are bounded in bytes, and given back as they are answered", async () => {
  const bodies = { total: 4_000, perOwner: 1_000 };
  const { service, open } = await heldService({ bounds: { bodies } });
  await using _ = service;
  const [first, second, third] = [await open(), await open(), await open()];
  const found = Promise.withResolvers<undefined>();
  service.ledger.find = () => found.promise;
  const poll = JSON.stringify({ ...NEW, id: crypto.randomUUID() }).padEnd(480);
  first.receive(poll);
  second.receive(poll);
  third.receive(poll);
  assertEquals([first.codes, second.codes], [[], []]);
  await until(() => third.codes.length === 1);
  assertEquals(third.codes, [1013]);
  found.resolve(undefined);
  await until(() => first.frames.length === 1 && second.frames.length === 1);
  for (let n = 0; n < 5; n++) first.receive(poll);
  await until(() => first.codes.length === 1);
  assertEquals([first.codes, first.frames.length], [[1013], 3], "what was begun is answered");
  close(first);
  second.receive(poll);
  second.receive(poll);
  await until(() => second.frames.length === 3);
  assertEquals(second.codes, []);
  for (const socket of [second, third]) close(socket);
});

Deno.test("what a frame that waits takes is given back when its socket goes, or is sent away", async () => {
  const bodies = { total: 4_000, perOwner: 1_000 };
  const { service, open } = await heldService({ bounds: { bodies } });
  await using _ = service;
  const frame = "nonsense".padEnd(480);
  const goings: ((socket: FakeSocket) => void)[] = [
    close,
    // Only text is read.
    (socket) => socket.fire(new MessageEvent("message", { data: new Blob() })),
  ];
  for (const go of goings) {
    const slow = await open();
    slow.bufferedAmount = 2 * MIB;
    for (let n = 0; n < 2; n++) slow.receive(frame);
    go(slow);
    const next = await open();
    for (let n = 0; n < 2; n++) next.receive(frame);
    await until(() => next.frames.length === 2 || next.codes.length > 0);
    assertEquals([next.codes, slow.frames], [[], []]);
    for (const socket of [slow, next]) close(socket);
  }
});

Deno.test("at most 16 frames are in progress at once", async () => {
  const { service, open } = await heldService();
  await using _ = service;
  const socket = await open();
  const going = Promise.withResolvers<void>();
  const find = service.ledger.find.bind(service.ledger);
  let asked = 0;
  service.ledger.find = async (...args) => {
    asked++;
    await going.promise;
    return await find(...args);
  };
  for (let n = 0; n < 40; n++) socket.receive({ ...NEW, id: crypto.randomUUID() });
  await until(() => asked === 16);
  assertEquals(socket.frames, []);
  going.resolve();
  await until(() => socket.frames.length === 40);
  assertEquals(asked, 40);
  close(socket);
});

Deno.test("when the watch of an export fails, its record is read instead", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  const { service, open } = await heldService({ destination: () => arrival.promise });
  await using _ = service;
  service.ledger.watch = () => {
    throw new Error("the watch failed");
  };
  const socket = await open();
  socket.receive(NEW);
  await until(() => service.sent.length === 1);
  // The end of the lease, and the next look at the record.
  await until(() => service.clock.pending === 2);
  const find = service.ledger.find.bind(service.ledger);
  service.ledger.find = () => Promise.reject(new Error("the store failed"));
  service.clock.advance(1_000);
  await until(() => service.log.some(({ event }) => event === "store.failed"));
  await until(() => service.clock.pending === 2);
  service.ledger.find = find;
  arrival.resolve(answered("news"));
  await service.worker.idle();
  service.clock.advance(1_000);
  await until(() => socket.states.includes("Finished"));
  assertEquals(socket.states[0], "Pending");
  socket.receive({ ...NEW, id: socket.frames[0]?.id });
  await until(() => socket.states.filter((state) => state === "Finished").length === 2);
  close(socket);
  assertEquals(service.clock.pending, 1, "the end of the lease");
});

Deno.test("a change that no watch told is told when the record is read again", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  const { service, open } = await heldService({ destination: () => arrival.promise });
  await using _ = service;
  service.ledger.watch = () => () => {};
  const socket = await open();
  socket.receive(NEW);
  await until(() => service.waiters.size === 1);
  arrival.resolve(answered());
  await service.worker.idle();
  service.clock.advance(60_000);
  await until(() => socket.frames.length === 2);
  assertEquals(socket.states, ["Pending", "Finished"]);
  close(socket);
});

Deno.test("a poll is told how its export is now, also if no watch has told it yet", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  const { service, open } = await heldService({ destination: () => arrival.promise });
  await using _ = service;
  service.ledger.watch = () => () => {};
  const socket = await open();
  socket.receive(NEW);
  await until(() => service.waiters.size === 1);
  arrival.resolve(answered());
  await service.worker.idle();
  socket.receive({ ...NEW, id: socket.frames[0]?.id });
  await until(() => socket.frames.length === 2);
  assertEquals(socket.states, ["Pending", "Finished"]);
  close(socket);
});

Deno.test("an answer that takes long to read holds up no receipt", async () => {
  const { service, open } = await heldService();
  await using _ = service;
  const going = Promise.withResolvers<void>();
  const answer = service.ledger.answer.bind(service.ledger);
  service.ledger.answer = async (record) => {
    await going.promise;
    return await answer(record);
  };
  const socket = await open();
  socket.receive(NEW);
  await until(() => socket.frames.length > 0 && service.waiters.size === 0);
  const first = socket.frames[0]?.id;
  assert(!socket.states.includes("Finished"));
  socket.receive(NEW);
  await until(() => socket.frames.some(({ id }) => id !== first));
  going.resolve();
  await until(() => socket.states.filter((state) => state === "Finished").length === 2);
  close(socket);
});

Deno.test("a socket that is gone is not told the answer that was being read, whose room is another's", async () => {
  const { service, open } = await heldService({
    destination: () => answered("x".repeat(40_000)),
    bounds: { answers: { total: 300_000, perOwner: 300_000 } },
  });
  await using _ = service;
  let asked = 0;
  const going = Promise.withResolvers<void>();
  const answer = service.ledger.answer.bind(service.ledger);
  service.ledger.answer = async (record) => {
    asked++;
    await going.promise;
    return await answer(record);
  };
  // Each takes half of the room.
  const [first, second, next] = [await open(), await open(), await open()];
  for (const gone of [first, second]) gone.receive(NEW);
  await until(() => asked === 2);
  for (const gone of [first, second]) close(gone);
  going.resolve();
  next.receive(NEW);
  await until(() => {
    service.clock.advance(25);
    return next.states.includes("Finished") || next.codes.length > 0;
  });
  assertEquals(next.codes, []);
  for (const { states, codes } of [first, second]) {
    assertEquals([states.includes("Finished"), codes], [false, []]);
  }
  close(next);
});

for (const bufferedAmount of [0, 2 * MIB]) {
  Deno.test(`a socket that is gone with ${bufferedAmount} bytes unread is not told the state that was being read`, async () => {
    const arrival = Promise.withResolvers<SendResult>();
    const { service, open } = await heldService({ destination: () => arrival.promise });
    await using _ = service;
    const socket = await open();
    socket.receive(NEW);
    await until(() => socket.states.includes("Processing"));
    const find = service.ledger.find.bind(service.ledger);
    const going = Promise.withResolvers<void>();
    let found = 0;
    service.ledger.find = async (...args) => {
      const record = await find(...args);
      found++;
      await going.promise;
      return record;
    };
    for (const id of [socket.frames[0]?.id, UNKNOWN]) socket.receive({ ...NEW, id });
    await until(() => found === 2);
    const { pending } = service.clock;
    socket.bufferedAmount = bufferedAmount;
    close(socket);
    going.resolve();
    await new Promise((resolve) => setTimeout(resolve)); // All that follows takes no turn.
    assertEquals(socket.states.filter((state) => state !== undefined), ["Pending", "Processing"]);
    // The end of the wait for news has gone with the socket, and nobody looks at its client.
    assertEquals(service.clock.pending, pending - 1);
    arrival.resolve(answered());
  });
}

Deno.test("states never go back, however late a poll's look at the record arrives", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  const { service, open } = await heldService({ destination: () => arrival.promise });
  await using _ = service;
  const socket = await open();
  socket.receive(NEW);
  await until(() => socket.states.includes("Processing"));
  const going = Promise.withResolvers<void>();
  const found = Promise.withResolvers<void>();
  const find = service.ledger.find.bind(service.ledger);
  service.ledger.find = async (...args) => {
    const record = await find(...args);
    found.resolve();
    await going.promise;
    return record;
  };
  socket.receive({ ...NEW, id: socket.frames[0]?.id });
  await found.promise;
  arrival.resolve(answered("news"));
  await until(() => socket.states.includes("Finished"));
  going.resolve();
  await until(() => socket.frames.length === 4);
  assertEquals(socket.states, ["Pending", "Processing", "Finished", "Finished"]);
  close(socket);
});

for (const [now, seen] of [["Processing", "Pending"], ["Finished", "Processing"]] as const) {
  Deno.test(`of two polls that come together neither is told ${seen} after ${now}`, async () => {
    const first = Promise.withResolvers<SendResult>();
    const second = Promise.withResolvers<SendResult>();
    const arrivals = [first.promise, second.promise].values();
    const { service, open } = await heldService({
      destination: () => arrivals.next().value ?? answered(),
    });
    await using _ = service;
    await service.submit();
    const { id } = await service.submit();
    const step = async () => {
      (now === "Finished" ? second : first).resolve(answered());
      await service.until(id, now);
    };
    if (now === "Finished") {
      first.resolve(answered());
      await service.until(id, "Processing");
    }
    const socket = await open();
    const going = Promise.withResolvers<void>();
    const find = service.ledger.find.bind(service.ledger);
    let found = 0;
    service.ledger.find = async (...args) => {
      const record = await find(...args);
      if (++found === 2) await going.promise;
      return record;
    };
    for (let n = 0; n < 2; n++) socket.receive({ ...NEW, id });
    await until(() => found >= 2 && socket.frames.length === 1);
    await step();
    await until(() => socket.states.includes(now));
    going.resolve();
    await until(() => socket.frames.length > 2);
    assertEquals(socket.states.slice(0, 3), [seen, now, now]);
    for (const { resolve } of [first, second]) resolve(answered());
    await service.worker.idle();
    close(socket);
  });
}

Deno.test("an answer that cannot be read is a problem that names its export, once", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  const { service, open } = await heldService({ destination: () => arrival.promise });
  await using _ = service;
  const answer = service.ledger.answer.bind(service.ledger);
  service.ledger.answer = () => Promise.reject(new Error("disk failed"));
  const socket = await open();
  socket.receive(NEW);
  arrival.resolve(answered("news"));
  await until(() => socket.frames.some(({ status }) => status === 503));
  const [{ id } = {}, problem] = [socket.frames[0], socket.frames.at(-1)];
  assertEquals(problem?.instance, id);
  service.ledger.answer = answer;
  const before = socket.frames.length;
  socket.receive({ ...NEW, id });
  await until(() => socket.frames.length > before);
  assertEquals(socket.frames.at(-1)?.ext_response, { status: "200 OK", body: "news" });
  close(socket);
});

Deno.test("a defect is told as such, and the socket lives on", async () => {
  const { service, open } = await heldService();
  await using _ = service;
  const socket = await open();
  service.ledger.find = () => {
    throw new Error("a defect");
  };
  socket.receive({ ...NEW, id: crypto.randomUUID() });
  await until(() => socket.frames.length === 1);
  assertEquals(socket.frames[0]?.type, "urn:databox:export-service:problem:internal");
  assert(!JSON.stringify(socket.frames).includes("a defect"));
  socket.receive("nonsense");
  await until(() => socket.frames.length === 2);
  const failed = service.log.filter(({ event }) => event === "request.failed");
  assertEquals(failed.map(({ method, path }) => [method, path]), [["GET", "/ws/export"]]);
  assertMatch(String(failed[0]?.frames), /socket_bounds_test\.ts:\d+/, "for a report");
  close(socket);
});

Deno.test("when a socket is gone in the middle of everything, nothing is left of it", async () => {
  const arrival = Promise.withResolvers<SendResult>();
  const { service, open } = await heldService({ destination: () => arrival.promise });
  await using _ = service;
  const socket = await open();
  for (let n = 0; n < 50; n++) socket.receive(NEW);
  await until(() => service.waiters.size > 0);
  socket.bufferedAmount = 2 * MIB;
  socket.receive("nonsense");
  close(socket);
  close(socket);
  assertEquals([service.sockets.size, service.waiters.size], [0, 0]);
  arrival.resolve(answered());
  await service.worker.idle();
  await noTimersLeft(service);
});

for (const gone of [false, true]) {
  const title = gone ? "nobody says goodbye to" : "who is still there is told goodbye on";
  Deno.test(`${title} a socket whose last frame is answered late`, async () => {
    const { service, open } = await heldService();
    await using _ = service;
    const socket = await open();
    const found = Promise.withResolvers<undefined>();
    const asked = Promise.withResolvers<void>();
    service.ledger.find = () => {
      asked.resolve();
      return found.promise;
    };
    socket.receive({ ...NEW, id: crypto.randomUUID() });
    await asked.promise;
    socket.fire(new MessageEvent("message", { data: new ArrayBuffer(1) }));
    if (gone) close(socket);
    found.resolve(undefined);
    await new Promise((resolve) => setTimeout(resolve)); // All that follows takes no turn.
    assertEquals([socket.waits, socket.codes], gone ? [0, []] : [1, [1003]]);
    if (!gone) close(socket);
  });
}

/** Only the ends of leases are left on the clock, and they do nothing. */
async function noTimersLeft(service: TestService): Promise<void> {
  service.clock.advance(45_000);
  await service.worker.idle();
  assertEquals([service.clock.pending, service.waiters.size], [0, 0]);
}
