/** What is still written as the room under a store gets less, decided and through the service. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  assertStorage,
  roomFor,
  roomState,
  StorageError,
  type StorageState,
  type StorageUse,
} from "../../src/ledger/storage.ts";
import type { SendResult } from "../../src/deliver/attempt.ts";
import { answered, DESTINATION, openTestService } from "../fakes/test_service.ts";

const MIB = 1_048_576;
const USES: readonly StorageUse[] = ["accept", "claim", "settle"];

const permitted: readonly (readonly [StorageState, readonly StorageUse[]])[] = [
  [{ kind: "well" }, ["accept", "claim", "settle"]],
  [{ kind: "low", roomBytes: 40 * MIB }, ["claim", "settle"]],
  [{ kind: "exhausted", roomBytes: 3 * MIB }, ["settle"]],
  [{ kind: "lost" }, []],
];

for (const [state, uses] of permitted) {
  Deno.test(`a store that is ${state.kind} is used to ${uses.join(", ") || "do nothing"}`, () => {
    for (const use of USES) {
      if (uses.includes(use)) assertStorage(state, use);
      else assertThrows(() => assertStorage(state, use), StorageError, "Cannot write to the store");
    }
  });
}

const rooms: readonly (readonly [diskMiB: number, fileMiB: number, kind: StorageState["kind"]])[] =
  [
    [64, 0, "well"],
    [16, 48, "well"],
    [63, 0, "low"],
    [15, 1_000, "low"],
    [32, 0, "low"],
    [8, 24, "low"],
    [31, 0, "exhausted"],
    [7, 1_000, "exhausted"],
    [0, 0, "exhausted"],
  ];

for (const [disk, file, kind] of rooms) {
  Deno.test(`with ${disk} MiB free on the disk and ${file} in the file the store is ${kind}`, () => {
    assertEquals(roomState(disk * MIB, file * MIB, 64 * MIB).kind, kind);
  });
}

Deno.test("less room is never a better state, and without a floor every state is well", () => {
  const kinds = ["exhausted", "low", "well"];
  const bytes = fc.nat(200 * MIB);
  fc.assert(fc.property(bytes, bytes, bytes, bytes, (disk, file, floor, less) => {
    const before = kinds.indexOf(roomState(disk, file, floor).kind);
    assertEquals(
      kinds.indexOf(roomState(Math.max(0, disk - less), file, floor).kind) <= before,
      true,
    );
    assertEquals(roomState(disk, file, 0).kind, "well");
  }));
});

Deno.test("while there is no room, submissions get 503 and what was accepted waits; then it goes on", async () => {
  let state: StorageState = { kind: "well" };
  const refusal: SendResult = { kind: "failed", code: "connection_refused" };
  await using service = await openTestService({
    storage: () => Promise.resolve(state),
    destination: () => service.sent.length === 1 ? refusal : answered(),
  });
  const { id } = await service.submit("[1]");
  await service.worker.idle();
  state = { kind: "exhausted", roomBytes: 0 };
  const refused = await service.ask("/lp/export", { id: "", uri: DESTINATION, data: "{}" });
  assertEquals([refused.status, refused.headers.get("retry-after")], [503, "5"]);
  assertMatch((await refused.json()).type, /:store_unavailable$/);
  const ready = await service.app.request("/health/ready");
  assertMatch((await ready.json()).type, /:not_ready$/);
  service.clock.advance(10_000);
  await service.worker.idle();
  assertEquals((await service.poll(id)).state, "Processing");
  assertEquals(service.sent.length, 1);

  state = { kind: "well" };
  service.clock.advance(1_000);
  await service.worker.idle();
  assertEquals((await service.poll(id)).state, "Finished");
  assertEquals(service.sent.length, 2);
});

Deno.test("the bytes of a payload, and of an answer, are told before they are written", async () => {
  const told: (number | undefined)[] = [];
  await using service = await openTestService({
    storage: (bytes) => {
      told.push(bytes);
      return Promise.resolve({ kind: "well" });
    },
    destination: () => answered("x".repeat(900)),
  });
  await service.submit("[1]");
  await service.worker.idle();
  assertEquals(told, [3, 900]);
});

Deno.test("what is free counts as far as the disk can take the log before the file", () => {
  assertEquals(roomFor(100 * MIB, 0), 100 * MIB);
  assertEquals(roomFor(100 * MIB, 50 * MIB), 150 * MIB);
  assertEquals(roomFor(30 * MIB, 50_000 * MIB), 120 * MIB);
  assertEquals(roomFor(0, 50_000 * MIB), 0);
});
