/** A listener that the runtime has given up, with a runtime that gives up when the test says. */
import { assertEquals } from "@std/assert";
import type { LogEvent } from "../../src/log.ts";
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
