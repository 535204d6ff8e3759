/** Rivals measured for real, if only for a moment: one that works, and some that cheat. */
import { assert, assertEquals } from "@std/assert";
import { type Job, startSurroundings } from "../../bench/measure.ts";
import { rivalKinds } from "../../bench/rivals.ts";
import { defined } from "../fakes/expect.ts";

Deno.test("what a rival exported arrived once, and what it committed is counted", async () => {
  const naive = defined(rivalKinds([]).find(({ name }) => name === "naive kv"));
  await using surroundings = await startSurroundings();
  await using rival = await naive.start(true);
  const figures = await surroundings.measure(rival, { clients: 4, ms: 10 });
  assert(figures.exports >= 4 && figures.perSecond > 0);
  assert(figures.accepted.p50 > 0 && figures.finished.p50 > figures.accepted.p50);
  // Three states and one message.
  assertEquals(await rival.commits?.(), 4 * figures.exports);
  const { exports } = figures;
  assertEquals(await surroundings.astray(), { exports, missing: 0, repeated: 0 });
});

/** A rival in this process that says that all is done, and sends each export so many times. */
function startCheat(times: number) {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (r) => {
    const { uri, data } = await r.json();
    for (let n = 0; n < times; n++) {
      await (await fetch(uri, { method: "POST", body: data })).body?.cancel();
    }
    return Response.json({ id: "x", state: "Finished", ext_response: {} });
  });
  return {
    api: `http://127.0.0.1:${server.addr.port}/lp/export`,
    pids: [],
    caCerts: [],
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

Deno.test("what never came, or came twice, is noticed", async () => {
  await using surroundings = await startSurroundings();
  const job: Job = { clients: 2, ms: 10 };
  await using never = startCheat(0);
  const lost = await surroundings.measure(never, job);
  assert(lost.exports > 0);
  assertEquals([lost.missing, lost.repeated], [lost.exports, 0]);
  await using twice = startCheat(2);
  const doubled = await surroundings.measure(twice, job);
  assertEquals([doubled.missing, doubled.repeated], [0, doubled.exports]);
  const exports = lost.exports + doubled.exports;
  const expected = { exports, missing: lost.exports, repeated: doubled.exports };
  assertEquals(await surroundings.astray(), expected);
});
