/** Watches of the store itself: what they tell, and that they end whatever becomes of the store. */
import { assertEquals } from "@std/assert";
import { keys } from "../../src/ledger/keys.ts";
import { watchStored } from "../../src/ledger/look_up.ts";
import { RecordsTold } from "../fakes/records_told.ts";

const ID = "0192d3a5-0000-7000-8000-000000000000";

Deno.test("a watch ends with its store", async () => {
  const kv = await Deno.openKv(":memory:");
  const told = new RecordsTold();
  const stop = watchStored(kv, ID, told);
  assertEquals(await told.next(), undefined);
  kv.close();
  await told.ended;
  assertEquals(told.ends, 1);
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
