/**
 * Another owner's export looks like one that never was: the same bytes, after the same work. The
 * time that the work takes is measured by `bench/ownership.ts`; no test depends on it.
 */
import { assertEquals } from "@std/assert";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { notingReads } from "../fakes/noting_kv.ts";
import { answered, DESTINATION, openTestService, type TestService } from "../fakes/test_service.ts";
import { SocketServer } from "./socket_client.ts";

const OTHER = "https://other.example/";
const HOUR = 3_600_000;
/** One that is there and one that is not, see `look_up.ts`. */
const READS = ["a record", "nothing"];

/** A service with an export in each state, by name; and what its store was asked since last told. */
async function openStory() {
  const kv = await Deno.openKv(":memory:");
  let calls: string[] = [];
  const never = Promise.withResolvers<SendResult>();
  const service = await openTestService({
    kv: notingReads(kv, (what) => calls.push(what)),
    retentionMs: HOUR,
    destination: ({ uri }) => uri === DESTINATION ? answered("x".repeat(900)) : never.promise,
  });
  const submit = async (uri: string, data = "{}") =>
    (await service.submit(data, { uri, token: service.token({ destination: uri }) })).id;
  const expired = await submit(DESTINATION);
  await service.worker.idle();
  service.clock.advance(HOUR);
  const finished = await submit(DESTINATION, JSON.stringify(["x".repeat(300_000)]));
  await service.worker.idle();
  const [delivering, pending] = [
    await submit("https://slow.example/"),
    await submit("https://slow.example/"),
  ];
  while (service.sent.length < 3) await new Promise((resolve) => setTimeout(resolve));
  return {
    service,
    ids: { expired, finished, delivering, pending },
    callsSince() {
      const since = calls;
      calls = [];
      return since;
    },
    async [Symbol.asyncDispose]() {
      never.resolve(answered());
      await service[Symbol.asyncDispose]();
      kv.close();
    },
  };
}

/** Tokens that may not read what the story submitted, and the destination they are for. */
function strangers(service: TestService, path: string, method = "POST") {
  return Object.entries({
    "another identifier": service.token({ path, method, identifier: "other" }),
    "another destination": service.token({ path, method, destination: OTHER }),
    "a smaller budget": service.token({ path, method, caveats: ["max_bytes = 1"] }),
  }).map(([who, token]) => ({
    who,
    token,
    uri: who === "another destination" ? OTHER : DESTINATION,
  }));
}

for (const path of ["/export", "/lp/export", "/lp/export?timeout=60"]) {
  Deno.test(`on ${path} another owner's id is answered as an unknown one, after the same reads`, async () => {
    await using story = await openStory();
    const { service, ids, callsSince } = story;
    for (const { who, token, uri } of strangers(service, path.replace(/\?.*/, ""))) {
      const ask = async (id: string) => {
        callsSince();
        const response = await service.ask(path, { id, uri, data: "{}" }, { token });
        const { status, statusText } = response;
        const headers = [...response.headers];
        const body = (await response.text()).replaceAll(id, "ID");
        return { status, statusText, headers, body, calls: callsSince().toSorted() };
      };
      const unknown = await ask(crypto.randomUUID());
      assertEquals([unknown.status, unknown.calls], [404, READS]);
      for (const [state, id] of Object.entries(ids)) {
        assertEquals(await ask(id), unknown, `${who}, ${state}`);
      }
    }
    assertEquals(service.waiters.size, 0);
  });
}

Deno.test("on a socket another owner's id is answered as an unknown one, after the same reads", async () => {
  await using story = await openStory();
  const { service, ids, callsSince } = story;
  await using server = new SocketServer(service);
  for (const { who, token, uri } of strangers(service, "/ws/export", "GET")) {
    const client = await server.client(token);
    const ask = async (id: string) => {
      callsSince();
      client.send({ id, uri, data: "{}" });
      return { frame: (await client.text()).replaceAll(id, "ID"), calls: callsSince().toSorted() };
    };
    const unknown = await ask(crypto.randomUUID());
    assertEquals(unknown.calls, READS);
    for (const [state, id] of Object.entries(ids)) {
      assertEquals(await ask(id), unknown, `${who}, ${state}`);
    }
    await client.close();
  }
});
