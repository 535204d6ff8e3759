/** A listener that the runtime has given up, with a runtime that gives up when the test says. */
import { assertEquals, assertThrows } from "@std/assert";
import type { LogEvent } from "../../src/log.ts";
import { UsageError } from "../../src/machine/flags.ts";
import { listen } from "../../src/machine/listener.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const PORT = 12_345;

Deno.test("a listener that has failed listens again on its port, however often that fails", async () => {
  const clock = new FakeClock();
  const events: string[] = [];
  const ports: unknown[] = [];
  const ended = Promise.withResolvers<void>();
  const running = {
    addr: { port: PORT },
    finished: ended.promise,
    shutdown: () => Promise.resolve(),
  };
  const { serve } = Deno;
  let failures = 3;
  Object.assign(Deno, {
    serve({ port }: { readonly port: number }) {
      ports.push(port);
      const isFirst = ports.length === 1;
      if (!isFirst && failures-- > 0) throw new Deno.errors.AddrInUse("The port is taken");
      return isFirst ? running : { ...running, finished: new Promise(() => {}) };
    },
  });
  try {
    const log = ({ event }: LogEvent) => void events.push(event);
    const handler = () => new Response();
    const listener = listen({ port: 0, tls: undefined, handler, clock, log });
    ended.reject(new Error("No descriptor is left"));
    await ended.promise.catch(() => {});
    for (let second = 1; second <= 4; second++) {
      assertEquals(ports.length, second);
      clock.advance(1_000);
    }
    await listener.stop(1_000);
  } finally {
    Object.assign(Deno, { serve });
  }
  assertEquals(ports, [0, PORT, PORT, PORT, PORT]);
  assertEquals(events, [...Array(4).fill("listener.failed"), "listener.recovered"]);
  assertEquals(clock.pending, 0);
});

for (const when of ["before it is stopped", "while it is stopped"]) {
  Deno.test(`a listener that fails ${when} does not listen again`, async () => {
    const clock = new FakeClock();
    const ended = Promise.withResolvers<void>();
    const { serve } = Deno;
    let serves = 0;
    Object.assign(Deno, {
      serve() {
        serves++;
        return {
          addr: { port: PORT },
          finished: ended.promise,
          shutdown: () => ended.promise,
        };
      },
    });
    try {
      const handler = () => new Response();
      const listener = listen({ port: 0, tls: undefined, handler, clock, log: () => {} });
      const fail = async () => {
        ended.reject(new Error("No descriptor is left"));
        await ended.promise.catch(() => {});
      };
      if (when === "before it is stopped") {
        await fail();
        assertEquals(clock.pending, 1);
      }
      const stopped = listener.stop(1_000);
      await fail();
      await stopped;
      assertEquals(clock.pending, 0);
    } finally {
      Object.assign(Deno, { serve });
    }
    assertEquals(serves, 1);
  });
}

Deno.test("a listener is stopped when the sockets are closed, or when its time is up", async () => {
  const clock = new FakeClock();
  const { serve } = Deno;
  let shutdowns = 0;
  const running = {
    addr: { port: PORT },
    finished: new Promise(() => {}),
    shutdown: () => Promise.resolve(shutdowns++),
  };
  Object.assign(Deno, { serve: () => running });
  try {
    const handler = () => new Response();
    const listener = listen({ port: 0, tls: undefined, handler, clock, log: () => {} });
    const closed = Promise.withResolvers<void>();
    const stopped = listener.stop(1_000, closed.promise);
    await new Promise((resolve) => setTimeout(resolve));
    assertEquals(shutdowns, 0);
    closed.resolve();
    await stopped;
    assertEquals([shutdowns, clock.pending], [1, 0]);
    const late = listener.stop(1_000, new Promise(() => {}));
    clock.advance(1_000);
    await late;
  } finally {
    Object.assign(Deno, { serve });
  }
});

for (
  const [cause, said] of [
    [new Deno.errors.AddrInUse("taken"), "Cannot listen: another program has port 80; "],
    [
      new Deno.errors.PermissionDenied("not yours"),
      "Cannot listen: port 80 takes a privilege that the process does not have, as those below " +
      "1024 may (not yours); set DATABOX_LOCAL_PORT or -p to another port",
    ],
  ] as const
) {
  Deno.test(`a port that cannot be had because it is ${cause.message} is told as that`, () => {
    const { serve } = Deno;
    Object.assign(Deno, {
      serve() {
        throw cause;
      },
    });
    try {
      const options = { port: 80, tls: undefined, handler: () => new Response() };
      assertThrows(
        () => listen({ ...options, clock: new FakeClock(), log: () => {} }),
        UsageError,
        said,
      );
    } finally {
      Object.assign(Deno, { serve });
    }
  });
}
