/** Shared commits: order kept, limits respected, and nobody fails for another's fault. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Bell } from "../../src/ledger/bell.ts";
import type { Batch } from "../../src/ledger/batch.ts";
import { GroupCommit } from "../../src/ledger/group_commit.ts";
import { readChains } from "../../src/ledger/read_chains.ts";
import { denying } from "../fakes/denying_kv.ts";
import { Fault, type FaultKind, faultyKv } from "../fakes/faulty_kv.ts";
import { verifyStored } from "../fakes/verify.ts";

const SILENT: Bell = { arm: () => () => {}, onRing: () => {}, listen: () => {} };

async function open(fault = new Fault("fails", Infinity), bell = SILENT) {
  const kv = await Deno.openKv(":memory:");
  let commits = 0;
  const counted = new Proxy(faultyKv(kv, fault), {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (name === "atomic") commits++;
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  const group = new GroupCommit({ kv: counted, bell, instance: "one", marks: {} });
  return { kv, group, commits: () => commits };
}

function setting(n: number, bytes = 10): Batch {
  return {
    sets: [{ key: ["set", n], value: new Uint8Array(bytes) }],
    entries: [{ kind: "refusals.omitted", at: 0, count: n }],
  };
}

async function counts(kv: Deno.Kv): Promise<number[]> {
  const found: number[] = [];
  for await (const chain of readChains(kv)) {
    const kept = await Array.fromAsync(chain.entries);
    assertEquals((await verifyStored({ ...chain, entries: kept })).kind, "intact");
    found.push(...kept.map((bytes) => JSON.parse(new TextDecoder().decode(bytes)).count));
  }
  return found;
}

Deno.test("changes that come together share a commit, and keep their order in the chain", async () => {
  const { kv, group, commits } = await open();
  const versions = await Promise.all(
    Array.from({ length: 50 }, (_, n) => group.commit(setting(n))),
  );
  assertEquals(new Set(versions).size, 1);
  assertEquals(commits(), 1);
  assertEquals(await counts(kv), Array.from({ length: 50 }, (_, n) => n));
  kv.close();
});

Deno.test("a change that comes alone is committed at once, alone", async () => {
  const { kv, group, commits } = await open();
  await group.commit(setting(1));
  await group.commit(setting(2));
  assertEquals(commits(), 2);
  kv.close();
});

Deno.test("a failed check fails its own change only", async () => {
  const { kv, group } = await open();
  const impossible: Batch = {
    ...setting(2),
    checks: [{ key: ["set", 1], versionstamp: "00000000000000009999" }],
  };
  const versions = await Promise.all([
    group.commit(setting(1)),
    group.commit(impossible),
    group.commit(setting(3)),
  ]);
  assertEquals(versions.map((version) => version !== undefined), [true, false, true]);
  assertEquals(await counts(kv), [1, 3]);
  assertEquals((await kv.get(["set", 2])).value, null);
  kv.close();
});

Deno.test("a change that the store cannot take fails alone", async () => {
  const { kv, group } = await open();
  const results = await Promise.allSettled([
    group.commit(setting(1)),
    group.commit({ ...setting(2), sets: [{ key: ["set", 2], value: new Uint8Array(65_537) }] }),
    group.commit(setting(3)),
  ]);
  assertEquals(results.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assertEquals(await counts(kv), [1, 3]);
  kv.close();
});

Deno.test("a change that checks what another one writes sees that write", async () => {
  const { kv, group } = await open();
  const once = (n: number): Batch => ({
    ...setting(n),
    checks: [{ key: ["once"], versionstamp: null }],
    sets: [{ key: ["once"], value: new Uint8Array([n]) }],
  });
  const versions = await Promise.all([group.commit(once(1)), group.commit(once(2))]);
  assertEquals(versions.map((version) => version !== undefined), [true, false]);
  assertEquals((await kv.get<Uint8Array>(["once"])).value, new Uint8Array([1]));
  kv.close();
});

Deno.test("more than one commit can hold is spread over several, in order", async () => {
  const { kv, group, commits } = await open();
  await Promise.all(Array.from({ length: 40 }, (_, n) => group.commit(setting(n, 60_000))));
  assert(commits() >= 4 && commits() <= 8, `${commits()} commits`);
  assertEquals(await counts(kv), Array.from({ length: 40 }, (_, n) => n));
  kv.close();
});

const MANY: readonly (readonly [what: string, batch: (n: number) => Batch])[] = [
  ["checks", (n) => ({
    checks: Array.from({ length: 5 }, (_, key) => ({ key: ["check", n, key], versionstamp: null })),
  })],
  ["bytes of keys", (n) => ({ deletes: [], sets: [longKey(n)] })],
  ["writes", (n) => ({
    deletes: Array.from({ length: 50 }, (_, key) => ["delete", n, key]),
  })],
];

/** A key of some 1,800 bytes, as it is counted and as KV counts it. */
function longKey(n: number) {
  return { key: ["語".repeat(600), n], value: new Uint8Array(1) };
}

for (const [what, batch] of MANY) {
  Deno.test(`changes with more ${what} than one commit can hold share as few as can hold them`, async () => {
    const { kv, group, commits } = await open();
    await Promise.all(Array.from({ length: 60 }, (_, n) => group.commit(batch(n))));
    assert(commits() >= 2 && commits() <= 6, `${commits()} commits`);
    kv.close();
  });
}

Deno.test("a change that is more than is put together, and not more than KV takes, is committed alone", async () => {
  const { kv, group, commits } = await open();
  const value = new Uint8Array(65_000);
  const large: Batch = {
    sets: Array.from({ length: 11 }, (_, n) => ({ key: ["large", n], value })),
    entries: [{ kind: "refusals.omitted", at: 0, count: 2 }],
  };
  await Promise.all([group.commit(setting(1)), group.commit(large), group.commit(setting(3))]);
  assertEquals([commits(), await counts(kv)], [3, [1, 2, 3]]);
  kv.close();
});

Deno.test("entries of the longest destinations share commits too", async () => {
  const { kv, group, commits } = await open();
  const path = new URL(`https://a.example/${"語".repeat(2_000)}`).pathname;
  const entering = (n: number): Batch => ({
    entries: [{
      kind: "export.accepted",
      at: n,
      id: "id",
      owner: "owner",
      bytes: 2,
      sha256: "",
      host: "a.example",
      path,
    }],
  });
  await Promise.all(Array.from({ length: 60 }, (_, n) => group.commit(entering(n))));
  assert(commits() <= 3, `${commits()} commits`);
  kv.close();
});

Deno.test("entries that fill a page each are counted, so that no commit holds more than KV takes", async () => {
  const { kv, group, commits } = await open();
  const path = `/${"x".repeat(600)}`;
  const batch = (n: number): Batch => ({
    deletes: Array.from({ length: 160 }, (_, part) => ["payload", n, part]),
    entries: Array.from({ length: 60 }, () => ({
      kind: "attempt.started",
      at: n,
      id: "id",
      attempt: 1,
      bytes: 2,
      sha256: "",
      host: "a.example",
      path,
    })),
  });
  await Promise.all(Array.from({ length: 9 }, (_, n) => group.commit(batch(n))));
  assert(commits() <= 3, `${commits()} commits`);
  kv.close();
});

for (const kind of ["fails", "lies"] satisfies FaultKind[]) {
  Deno.test(`when a shared commit ${kind}, everybody's change is written once all the same`, async () => {
    const fault = new Fault(kind, 2);
    const { kv, group } = await open(fault);
    await group.commit(setting(0));
    fault.arm();
    // The first call of a commit is its own when the chain's end is known.
    await Promise.all([1, 2, 3].map((n) => group.commit(setting(n))));
    await Promise.all([4, 5, 6].map((n) => group.commit(setting(n))));
    assert(fault.happened);
    assertEquals(await counts(kv), [0, 1, 2, 3, 4, 5, 6]);
    kv.close();
  });
}

Deno.test("a store that is gone fails everybody, and serves again when it is back", async () => {
  const fault = new Fault("crashes", 1);
  const { kv, group } = await open(fault);
  fault.arm();
  await assertRejects(() => Promise.all([group.commit(setting(1)), group.commit(setting(2))]));
  fault.disarm();
  await group.commit(setting(3));
  assertEquals(await counts(kv), [3]);
  kv.close();
});

Deno.test("a change without an entry, which leaves no trace in the chain, is not taken to have held", async () => {
  const fault = new Fault("fails", 1);
  const { kv, group } = await open(fault);
  await group.commit(setting(1));
  fault.arm();
  const key = ["without an entry"];
  await assertRejects(() => group.commit({ sets: [{ key, value: new Uint8Array(1) }] }));
  assertEquals((await kv.get(key)).value, null);
  kv.close();
});

Deno.test("another writer on the chain costs a second try, not an entry", async () => {
  const { kv, group } = await open();
  const other = new GroupCommit({ kv, bell: SILENT, instance: "one", marks: {} });
  await group.commit(setting(1));
  await other.commit(setting(2));
  await group.commit(setting(3));
  assertEquals(await counts(kv), [1, 2, 3]);
  kv.close();
});

Deno.test("wake-ups ring after their commit, and not for one that failed", async () => {
  const rung: string[] = [];
  const bell: Bell = {
    arm: (_commit, wakeUps) => () => rung.push(...wakeUps.map(({ lane }) => lane)),
    onRing: () => {},
    listen: () => {},
  };
  const { kv, group } = await open(undefined, bell);
  const wakeUps = (lane: string) => ({ wakeUps: [{ lane, at: 0 }] });
  await group.commit({ ...setting(1), ...wakeUps("good") });
  const checks = [{ key: ["set", 1], versionstamp: null }];
  await group.commit({ ...setting(2), ...wakeUps("bad"), checks });
  assertEquals(rung, ["good"]);
  kv.close();
});

Deno.test("a shared commit that held and denied it rings all the same", async () => {
  const real = await Deno.openKv(":memory:");
  const { kv, denyNext } = denying(real);
  const rung: string[] = [];
  const arm: Bell["arm"] = (_, wakeUps) => () => rung.push(...wakeUps.map(({ lane }) => lane));
  const group = new GroupCommit({ kv, bell: { ...SILENT, arm }, instance: "one", marks: {} });
  denyNext();
  const committed = await Promise.all(
    ["a", "b"].map((lane, n) => group.commit({ ...setting(n), wakeUps: [{ lane, at: 0 }] })),
  );
  assertEquals(committed.includes(undefined), false);
  assertEquals(rung, ["a", "b"]);
  real.close();
});
