/** Watches of the store itself: what they tell, and that they end whatever becomes of the store. */
import { assertEquals } from "@std/assert";
import { acceptExport } from "../../src/exports/export.ts";
import { keys } from "../../src/ledger/keys.ts";
import { encodeExport } from "../../src/ledger/stored.ts";
import { watchStored } from "../../src/ledger/watch_stored.ts";
import { having } from "../fakes/ruled.ts";
import { RecordsTold } from "../fakes/records_told.ts";

const ID = "0192d3a5-0000-7000-8000-000000000000";
const NOTHING = new Uint8Array();
const LAYOUT = { order: 1, hasPlace: true, first: NOTHING, parts: 0 };
const { record } = acceptExport(
  { owner: "owner", uri: "https://a.example/", payload: NOTHING },
  { id: ID, now: 1_000, giveUpAfterMs: 60_000 },
);

Deno.test("a watch ends with its store", async () => {
  const kv = await Deno.openKv(":memory:");
  const told = new RecordsTold();
  const stop = watchStored(kv, ID, told);
  kv.close();
  await told.ended;
  assertEquals([told.states(), told.ends], [[], 1]);
  stop();
});

Deno.test("a watch ends at what this version cannot read", async () => {
  const kv = await Deno.openKv(":memory:");
  await kv.set(keys.export(ID), new TextEncoder().encode(`{"schema":99}`));
  const told = new RecordsTold();
  const stop = watchStored(kv, ID, told);
  await told.ended;
  assertEquals(told.states(), []);
  stop();
  kv.close();
});

Deno.test("a watch that is stopped tells nothing more, not even what the store has just told it", async () => {
  const kv = await Deno.openKv(":memory:");
  let news = (_: unknown) => {};
  const watch = () =>
    new ReadableStream({ start: (controller) => news = (entry) => controller.enqueue([entry]) });
  const told = new RecordsTold();
  const stop = watchStored(having(kv, { watch }), ID, told);
  const value = encodeExport({ ...LAYOUT, record });
  news({ value });
  assertEquals(await told.next(), record);
  news({ value: null });
  news({ value });
  stop();
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([told.states(), told.ends], [[], 0]);
  kv.close();
});

Deno.test("a watch ends when the store fails under it, and can be stopped then", async () => {
  const kv = await Deno.openKv(":memory:");
  kv.watch = () =>
    new ReadableStream({ start: (controller) => controller.error(new Error("the store failed")) });
  const told = new RecordsTold();
  const stop = watchStored(kv, ID, told);
  await told.ended;
  stop();
  // A rejection that nobody handles would end the tests.
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals([told.states(), told.ends], [[], 1]);
  kv.close();
});
