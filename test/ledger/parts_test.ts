/** Payloads and answers in records and parts: what was cut is put together again, and no row is long. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { claimExport } from "../../src/exports/claim.ts";
import { acceptExport, settleExport } from "../../src/exports/export.ts";
import type { ExportRecord } from "../../src/exports/record.ts";
import { Damaged } from "../../src/ledger/ledger.ts";
import { cut, readContent } from "../../src/ledger/parts.ts";
import { encodeExport } from "../../src/ledger/stored.ts";
import { PART_BYTES } from "../../src/limits.ts";
import { ROW_BYTES_MAX } from "../../src/ledger/store_limits.ts";
import { defined } from "../fakes/expect.ts";

const BACKOFF = { delaysMs: [1_000], jitter: 0 };
const POLICY = { backoff: BACKOFF, retryStatuses: [], retryAfterMaxMs: 0, retentionMs: 86_400_000 };

/** A record as long as one gets, waiting and finished. */
function records(uri: string): ExportRecord[] {
  const now = Date.UTC(2030, 0, 1);
  const payload = new Uint8Array(10_485_760);
  const id = crypto.randomUUID();
  const request = { owner: "o".repeat(22), uri, payload };
  const { record } = acceptExport(request, { id, now, giveUpAfterMs: 86_400_000 });
  const waiting = { ...record, attempts: 100 };
  const claimant = { instance: "one", boot: "first" };
  const facts = { now, claimant, leaseMs: 1_000, backoff: BACKOFF, retentionMs: 1_000 };
  const claim = defined(claimExport(waiting, facts));
  const outcome = {
    kind: "answered",
    status: 200,
    truncated: false,
    answerBytes: 10_485_760,
    address: "192.0.2.1",
    ms: 1,
  } as const;
  const end = settleExport(claim.record, outcome, POLICY, { now, chance: 0 });
  return [waiting, claim.record, end.record];
}

const sizes = fc.oneof(
  fc.nat(600),
  fc.nat(6_000),
  fc.constantFrom(0, 1, 2, 3, 4).map((n) => PART_BYTES * 4 - 2 + n),
);

Deno.test("rows of a small payload or answer are not long, nor are parts of a large one too long", () => {
  const uris = fc.nat(350).map((length) => `https://a.example/${"x".repeat(length)}`);
  fc.assert(
    fc.property(uris, sizes, (uri, bytes) => {
      for (const record of records(uri)) {
        const { first, parts } = cut(new Uint8Array(bytes), record);
        const layout = { order: Number.MAX_SAFE_INTEGER, hasPlace: false, parts: parts.length };
        const row = encodeExport({ record, first, ...layout });
        assert(row.byteLength <= ROW_BYTES_MAX, `${row.byteLength} bytes`);
        const longest = bytes <= 4 * ROW_BYTES_MAX ? ROW_BYTES_MAX : PART_BYTES;
        assert(parts.every((part) => part.byteLength > 0 && part.byteLength <= longest));
      }
    }),
    { numRuns: 50 },
  );
});

Deno.test("what was cut is put together again, whatever its size and its destination's", async () => {
  using kv = await Deno.openKv(":memory:");
  const uris = fc.constantFrom("https://a.example/", `https://a.example/${"é".repeat(2_000)}`);
  await fc.assert(
    fc.asyncProperty(uris, sizes, async (uri, bytes) => {
      const content = crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536)));
      const [record] = records(uri);
      const { first, parts } = cut(content, defined(record));
      for (const [n, part] of parts.entries()) await kv.set(["part", n], part);
      const stored = { first, parts: parts.length };
      const keyOf = (n: number) => ["part", n];
      assertEquals(await readContent(kv, stored, content.byteLength, keyOf), content);
      for (const bytes of [content.byteLength + 1, content.byteLength - 1].filter((n) => n >= 0)) {
        await assertRejects(() => readContent(kv, stored, bytes, keyOf), Damaged);
      }
    }),
    { numRuns: 50 },
  );
});
