/** What the exports of an owner may leave in the store in a day. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { bytesOfAcceptance, bytesOfEntries, StorageQuota } from "../../src/ledger/storage_quota.ts";

const NOW = Date.UTC(2030, 0, 1);
const DAY = 86_400_000;
const PER_DAY = 1_000;

function after(...added: readonly (readonly [bytes: number, at: number])[]): StorageQuota {
  const quota = new StorageQuota(PER_DAY);
  for (const [bytes, at] of added) quota.add("owner", bytes, at);
  return quota;
}

const WAITS: readonly (readonly [string, StorageQuota, waitMs: number | undefined])[] = [
  ["nothing", after(), undefined],
  ["a day's bytes", after([1_000, NOW]), undefined],
  ["one more", after([1_001, NOW]), DAY / 1_000],
  ["twice a day's, half of it a day ago", after([1_000, NOW - DAY], [1_000, NOW]), undefined],
  [
    "a day's, and half as much half a day ago",
    after([500, NOW - DAY / 2], [1_000, NOW]),
    undefined,
  ],
  ["a day's, and as much half a day ago", after([1_000, NOW - DAY / 2], [1_000, NOW]), DAY / 2],
  ["ten times as much", after([10_000, NOW]), 9 * DAY],
  ["a day's, by a clock since put back by two", after([1_000, NOW + 2 * DAY]), undefined],
  ["one more, by a clock since put back", after([1_001, NOW + DAY]), DAY / 1_000],
  ["more, of which some was taken back", after([1_500, NOW], [-500, NOW]), undefined],
];

for (const [what, of, waitMs] of WAITS) {
  Deno.test(`who has left ${what} waits ${waitMs ?? 0} ms`, () => {
    const expected = waitMs === undefined
      ? undefined
      : { kind: "over_quota", bytesPerDay: PER_DAY, waitMs };
    assertEquals(of.exceeded("owner", NOW), expected as ReturnType<StorageQuota["exceeded"]>);
    assertEquals(of.exceeded("another owner", NOW), undefined);
    // What was announced holds.
    assertEquals(of.exceeded("owner", NOW + (waitMs ?? 0)), undefined);
  });
}

Deno.test("whoever leaves only when they may leaves a day's bytes a day, and one day's besides", () => {
  const step = fc.record({ ms: fc.nat(DAY), bytes: fc.integer({ min: 1, max: 50 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      const quota = new StorageQuota(PER_DAY);
      let [now, total] = [NOW, 0];
      for (const { ms, bytes } of steps) {
        now += ms % 1_000_000;
        if (quota.exceeded("owner", now) !== undefined) continue;
        quota.add("owner", bytes, now);
        total += bytes;
        assert(total <= PER_DAY * (1 + (now - NOW) / DAY) + 50 + 1e-6);
      }
    }),
    { numRuns: 100 },
  );
});

Deno.test("owners whose buckets are empty are forgotten within a minute, whatever the clock does", () => {
  const quota = new StorageQuota(PER_DAY);
  quota.add("first", 0.1, NOW);
  quota.add("second", 1_000, NOW);
  quota.add("third", 1, NOW + 59_999);
  assertEquals(quota.owners, 3);
  quota.add("third", 1, NOW + 60_000);
  assertEquals(quota.owners, 2);
  quota.add("fourth", 0, NOW);
  quota.add("fifth", 0, NOW - 60_000);
  assertEquals(quota.owners, 3);
});

const entry = { kind: "attempt.lapsed", at: NOW, id: "1", attempt: 1 } as const;
const refused = {
  kind: "export.refused",
  at: NOW,
  reason: "r",
  method: "POST",
  route: "/",
} as const;

Deno.test("what an export leaves is its record, its URL, its entries and their paths", () => {
  const accepted = { kind: "export.accepted", at: NOW, id: "1", owner: "o", bytes: 1 } as const;
  const longer = { ...accepted, sha256: "s", host: "h", path: `/${"x".repeat(999)}` };
  assertEquals(bytesOfEntries([]), 0);
  assertEquals(bytesOfEntries([entry, refused]), 2 * 384);
  assertEquals(bytesOfEntries([entry, longer]), 2 * 384 + 1_000);
  assertEquals(bytesOfAcceptance("https://a.example/", [longer]), 1_024 + 18 + 384 + 1_000);
});
