import { assertEquals } from "@std/assert";
import { gatherLines } from "../../src/machine/lines.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

function gathering(write: (text: string) => void = () => {}) {
  const clock = new FakeClock();
  const texts: string[] = [];
  const lines = gatherLines((text) => {
    texts.push(text);
    write(text);
  }, clock);
  return { clock, texts, lines };
}

Deno.test("lines that come together are written together, in their order, within a millisecond", () => {
  const { clock, texts, lines } = gathering();
  lines.write("a");
  lines.write("b");
  assertEquals(texts, []);
  clock.advance(1);
  assertEquals(texts, ["a\nb"]);
  lines.write("c");
  clock.advance(1);
  assertEquals(texts, ["a\nb", "c"]);
  assertEquals(clock.pending, 0);
});

Deno.test("at the end everything is written at once, and nothing twice", () => {
  const { clock, texts, lines } = gathering();
  lines.flush();
  lines.write("a");
  lines.flush();
  lines.flush();
  clock.advance(1);
  assertEquals(texts, ["a"]);
});

Deno.test("a text that cannot be written is lost, and later ones are not", () => {
  let isGone = true;
  const { clock, texts, lines } = gathering(() => {
    if (isGone) throw new Deno.errors.BrokenPipe("the reader has gone");
  });
  lines.write("a");
  clock.advance(1);
  isGone = false;
  lines.write("b");
  clock.advance(1);
  assertEquals(texts, ["a", "b"]);
});
