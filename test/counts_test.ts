import { assertEquals } from "@std/assert";
import { Counts } from "../src/counts.ts";

Deno.test("what there is none of is forgotten, and never counted below zero", () => {
  const counts = new Counts();
  counts.add("a", 2);
  counts.add("b", 1);
  counts.add("a", -1);
  assertEquals([counts.of("a"), counts.of("b"), counts.of("c"), counts.size], [1, 1, 0, 2]);
  counts.add("a", -5);
  counts.clear("b");
  assertEquals([counts.of("a"), counts.of("b"), counts.size], [0, 0, 0]);
  counts.add("a", 1);
  assertEquals(counts.of("a"), 1);
});
