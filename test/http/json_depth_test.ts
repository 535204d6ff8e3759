import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isDeeperThan } from "../../src/http/json_depth.ts";

/** The depth of a parsed value, by a way that needs no text. */
function depthOf(value: unknown): number {
  return typeof value === "object" && value !== null
    ? 1 + Math.max(0, ...Object.values(value).map(depthOf))
    : 0;
}

const cases: readonly (readonly [json: string, depth: number])[] = [
  ["", 0],
  ["7", 0],
  [`"[[[["`, 0],
  [`"\\"[[[["`, 0],
  [`"\\\\"`, 0],
  ["[]", 1],
  [`[{}, "]", {"a": [1]}, "}"]`, 3],
  [`{"\\\\": ["\\\\\\"{"]}`, 2],
  ["[[],[],[]]", 2],
  ["[".repeat(1_000), 1_000],
];

for (const [json, depth] of cases) {
  Deno.test(`${JSON.stringify(json.slice(0, 30))} is nested ${depth} deep`, () => {
    const bytes = new TextEncoder().encode(json);
    assertEquals(isDeeperThan(bytes, depth), false);
    assertEquals(isDeeperThan(bytes, depth - 1), depth > 0);
  });
}

Deno.test("the depth of any JSON text is that of its value", () => {
  fc.assert(fc.property(fc.json({ maxDepth: 8 }), fc.integer({ min: 0, max: 9 }), (json, max) => {
    const deeper = depthOf(JSON.parse(json)) > max;
    assertEquals(isDeeperThan(new TextEncoder().encode(json), max), deeper);
  }));
});
