import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
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
