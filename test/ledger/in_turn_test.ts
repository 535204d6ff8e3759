import { assertEquals, assertRejects } from "@std/assert";
import { InTurn } from "../../src/ledger/in_turn.ts";

Deno.test("tasks on one key run one after the other, those on another key beside them", async () => {
  const inTurn = new InTurn();
  const first = Promise.withResolvers<string>();
  const begun: string[] = [];
  const task = (name: string, end: Promise<string>) => () => (begun.push(name), end);
  const a = inTurn.run("a", task("a", first.promise));
  const b = inTurn.run("a", task("b", Promise.resolve("b")));
  const c = inTurn.run("other", task("c", Promise.resolve("c")));
  assertEquals(await c, "c");
  assertEquals(begun, ["a", "c"]);
  first.resolve("a");
  assertEquals([await a, await b], ["a", "b"]);
  assertEquals(begun, ["a", "c", "b"]);
});

Deno.test("a task that fails holds up nobody", async () => {
  const inTurn = new InTurn();
  const failing = inTurn.run("a", () => Promise.reject(new Error("no")));
  const next = inTurn.run("a", () => Promise.resolve(1));
  await assertRejects(() => failing, Error, "no");
  assertEquals(await next, 1);
});

Deno.test("no key is kept once its tasks have ended", async () => {
  const inTurn = new InTurn();
  const tasks = ["a", "a", "b"].map((key) => inTurn.run(key, () => Promise.resolve()));
  assertEquals(inTurn.size, 2);
  await Promise.all(tasks);
  await new Promise((resolve) => setTimeout(resolve));
  assertEquals(inTurn.size, 0);
});
