/** What the exports of an owner may leave in the store in a day. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { Kept } from "../../src/ledger/kept.ts";

const NOW = Date.UTC(2030, 0, 1);
const DAY = 86_400_000;
const PER_DAY = 1_000;

function kept(...added: readonly (readonly [bytes: number, at: number])[]): Kept {
  const kept = new Kept(PER_DAY);
  for (const [bytes, at] of added) kept.add("owner", bytes, at);
  return kept;
}

const WAITS: readonly (readonly [string, Kept, waitMs: number | undefined])[] = [
  ["nothing", kept(), undefined],
  ["a day's bytes", kept([1_000, NOW]), undefined],
  ["one more", kept([1_001, NOW]), DAY / 1_000],
  ["twice a day's, half of it a day ago", kept([1_000, NOW - DAY], [1_000, NOW]), undefined],
  ["a day's, and half as much half a day ago", kept([500, NOW - DAY / 2], [1_000, NOW]), undefined],
  ["a day's, and as much half a day ago", kept([1_000, NOW - DAY / 2], [1_000, NOW]), DAY / 2],
  ["much more", kept([1_000_000, NOW]), DAY],
  ["much more, by a clock since put back", kept([1_000_000, NOW + 1]), undefined],
];

for (const [what, of, waitMs] of WAITS) {
  Deno.test(`who has left ${what} waits ${waitMs ?? 0} ms`, () => {
    const expected = waitMs === undefined ? undefined : { kind: "spent", perDay: PER_DAY, waitMs };
    assertEquals(of.spent("owner", NOW), expected as ReturnType<Kept["spent"]>);
    assertEquals(of.spent("another owner", NOW), undefined);
  });
}

Deno.test("whoever has nothing left to let go of is forgotten within a minute", () => {
  const kept = new Kept(PER_DAY);
  kept.add("first", 1, NOW);
  kept.add("second", 1_000, NOW);
  kept.add("third", 1, NOW + 60_000);
  assertEquals(kept.owners, 3);
  kept.add("third", 1, NOW + 120_000);
  assertEquals(kept.owners, 2);
});

Deno.test("whoever leaves only when they may leaves a day's bytes a day, and one day's besides", () => {
  const step = fc.record({ ms: fc.nat(DAY), bytes: fc.integer({ min: 1, max: 50 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const kept = new Kept(PER_DAY);
      let [now, total] = [NOW, 0];
      for (const { ms, bytes } of steps) {
        now += ms % 1_000_000;
        if (kept.spent("owner", now) !== undefined) continue;
        kept.add("owner", bytes, now);
        total += bytes;
        assert(total <= PER_DAY * (1 + (now - NOW) / DAY) + 50 + 1e-6);
      }
    }),
    { numRuns: 100 },
  );
});
