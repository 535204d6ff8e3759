import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { PART_BYTES_MIN, SMALL_PARTS_MAX } from "../src/limits.ts";
import { GrowingBytes } from "../src/growing_bytes.ts";

Deno.test("whatever parts come, they are there in order, in no more room than permitted", () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 20 });
  fc.assert(fc.property(parts, fc.nat(60), fc.nat(1_000), (given, room, more) => {
    const all = given.flatMap((part) => [...part]);
    const bytesMax = all.length + more;
    const content = new GrowingBytes(room, bytesMax);
    for (const part of given) content.append(part);
    assertEquals([...content.bytes()], all);
    assertEquals(content.length, all.length);
    assert(content.bytes().buffer.byteLength <= bytesMax);
  }));
});

Deno.test("a thousand parts may be a byte each; beyond that they must hold something", () => {
  const fill = (parts: number, bytes: number) => {
    const content = new GrowingBytes(16, 1_000_000);
    for (let n = 0; n < parts; n++) content.append(new Uint8Array(bytes));
    return content.isCrumbled;
  };
  assertEquals(fill(SMALL_PARTS_MAX, 0), false);
  assertEquals(fill(SMALL_PARTS_MAX + 1, 0), true);
  assertEquals(fill(SMALL_PARTS_MAX, 1), false);
  assertEquals(fill(2 * SMALL_PARTS_MAX, 1), true);
  assertEquals(fill(20 * SMALL_PARTS_MAX, PART_BYTES_MIN), false);
  assertEquals(fill(40 * SMALL_PARTS_MAX, PART_BYTES_MIN - 1), true);
});
