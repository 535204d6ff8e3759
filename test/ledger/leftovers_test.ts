/** What the ledger leaves behind where the store, or time, plays tricks. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { acceptExport } from "../../src/exports/export.ts";
import { GroupCommit } from "../../src/ledger/group_commit.ts";
import { entriesIn } from "../../src/ledger/pages.ts";
import { NextInLane } from "../../src/ledger/next_in_lane.ts";
import { abandon, stage, writeParts } from "../../src/ledger/staging.ts";
import { STAGING_MAX_MS } from "../../src/limits.ts";
import { denying } from "../fakes/denying_kv.ts";
import { defined } from "../fakes/expect.ts";
import { hang, having, openRuled } from "../fakes/ruled.ts";
import { openTestService } from "../fakes/test_service.ts";

Deno.test("what is swept is never part of what was accepted meanwhile", async () => {
  const kv = await Deno.openKv(":memory:");
  const released = Promise.withResolvers<void>();
  let sweep: (() => Promise<unknown>) | undefined;
  let [isSweeping, commits] = [false, 0];
  let swept: Promise<unknown> = Promise.resolve();
  const atomic = () => {
    const operation = kv.atomic();
    const [commit, set] = [operation.commit.bind(operation), operation.set.bind(operation)];
    const isRemoval = isSweeping && ++commits === 1;
    let accepts = false;
    operation.set = (
      ...args: Parameters<typeof set>
    ) => (accepts ||= args[0][0] === "export", set(...args));
    operation.commit = async () => {
      if (isRemoval) await released.promise; // it comes late
      if (accepts && sweep !== undefined) {
        isSweeping = true;
        swept = sweep();
        sweep = undefined;
        while (commits < 1) await new Promise((resolve) => setTimeout(resolve));
        isSweeping = false;
      }
      return await commit();
    };
    return operation;
  };
  const { clock, ledger } = await openTestService({
    kv: having(kv, { atomic }),
    destination: hang,
  });
  const payload = new Uint8Array(1_000_000);
  const facts = { id: crypto.randomUUID(), now: clock.now(), giveUpAfterMs: 1e9 };
  const change = acceptExport({ owner: "a", uri: "https://a.example/", payload }, facts);
  sweep = () => (clock.jump(STAGING_MAX_MS + 1), ledger.sweep());
  const idempotency = { key: "k", fingerprint: "f", expiresAt: clock.now() + 1e9 };
  assertEquals((await ledger.accept(change, payload, { idempotency })).kind, "accepted");
  released.resolve();
  await swept;
  const kept = await ledger.payload(defined(await ledger.head(change.record.lane))).catch((error) =>
    error
  );
  kv.close();
  assert(kept instanceof Uint8Array, `${kept}`);
});

Deno.test("what was accepted between two steps of its removal keeps its parts", async () => {
  using kv = await Deno.openKv(":memory:");
  const parts = [new Uint8Array([1]), new Uint8Array([2])];
  const marker = await stage(kv, "id", parts, 0);
  // The acceptance comes as soon as whoever removes has seen the marker.
  const get = async (key: Deno.KvKey) => {
    const seen = await kv.get(key);
    await kv.atomic().check(marker).delete(marker.key).commit();
    return seen;
  };
  await abandon(having(kv, { get }), "id");
  const kept = await Array.fromAsync(kv.list<Uint8Array>({ prefix: [] }), ({ value }) => value);
  assertEquals(kept, parts);
});

Deno.test("parts of what was swept meanwhile are not written", async () => {
  using kv = await Deno.openKv(":memory:");
  const marker = await stage(kv, "id", [new Uint8Array([1])], 0);
  await abandon(kv, "id");
  const parts = [{ key: ["payload", "id", 1], value: new Uint8Array([2]) }];
  await assertRejects(() => writeParts(kv, parts, marker), Error, "was changed");
  assertEquals(await Array.fromAsync(kv.list({ prefix: [] })), []);
});

Deno.test("an empty lane leaves nothing in memory, also after the same submission twice at once, or one that failed", async () => {
  const left = new Set<string>();
  const { follow, leave } = NextInLane.prototype;
  NextInLane.prototype.follow = function (...args) {
    left.add(args[0]);
    return follow.apply(this, args);
  };
  NextInLane.prototype.leave = function (lane) {
    left.delete(lane);
    leave.call(this, lane);
  };
  try {
    const world = await openRuled();
    await using service = world.service;
    for (let n = 0; n < 50; n++) {
      const headers = { "idempotency-key": `${n}` };
      const uri = `https://a.example/${n}`;
      await Promise.all([1, 2].map(() => service.submit("{}", { uri, headers })));
    }
    await world.pass(60_000);
    assertEquals(await Array.fromAsync(service.ledger.lanes()), []);
    assertEquals(left.size, 0);
    world.trouble.rule = () => "fails";
    for (let n = 0; n < 5; n++) {
      await service.submit("{}", { uri: `https://a.example/${n}` }).catch(() => {});
    }
    assertEquals(left.size > 0, true, "the store may have accepted them");
    world.trouble.rule = () => undefined;
    await world.pass(60_000);
    assertEquals(left.size, 0);
  } finally {
    Object.assign(NextInLane.prototype, { follow, leave });
  }
});

Deno.test("an entry whose commit held and said it did not is entered once", async () => {
  const real = await Deno.openKv(":memory:");
  const { kv, denyNext } = denying(real);
  const bell = { arm: () => () => {}, onRing: () => {}, listen: () => {} };
  const group = new GroupCommit({ kv, bell, instance: "one", marks: {} });
  const enter = (count: number) =>
    group.commit({ entries: [{ kind: "refusals.omitted", at: 0, count }] });
  denyNext();
  await Promise.all([enter(20), enter(300)]);
  const pages = await Array.fromAsync(real.list<Uint8Array>({ prefix: ["ledger"] }));
  real.close();
  assertEquals(pages.flatMap(({ value }) => entriesIn(value)).length, 2);
});
