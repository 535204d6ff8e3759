/** Stores of other versions: an earlier one is opened and its exports finish, a newer one is refused. */
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { acceptExport } from "../src/exports/export.ts";
import { isLedgerEntry } from "../src/exports/ledger_entry.ts";
import { FORMAT } from "../src/ledger/format.ts";
import { decodeExport, encodeExport } from "../src/ledger/stored.ts";
import { readChains, readVerifying } from "../src/ledger/read_chains.ts";
import exportsOf01 from "./fixtures/store_0.1/exports.json" with { type: "json" };
import exportsOf2 from "./fixtures/store_format_2/exports.json" with { type: "json" };
import exportsOf3 from "./fixtures/store_format_3/exports.json" with { type: "json" };
import exportsOf4 from "./fixtures/store_format_4/exports.json" with { type: "json" };
import { defined } from "./fakes/expect.ts";
import { runTask } from "./fakes/service_process.ts";
import { openTestService } from "./fakes/test_service.ts";
import { withFolder } from "./fakes/folder.ts";
import { verifyStored } from "./fakes/verify.ts";

const FORMAT_KEY = ["format"];

Deno.test("a store of version 0.1 opens, and its exports finish in their order", () =>
  assertOpens("store_0.1", exportsOf01));

Deno.test("a store of format 2 opens, and its exports finish in their order", () =>
  assertOpens("store_format_2", exportsOf2));

Deno.test("a store of format 3 opens, and its exports finish in their order", () =>
  assertOpens("store_format_3", exportsOf3));

Deno.test("a store of format 4 opens, and its exports finish in their order", () =>
  assertOpens("store_format_4", exportsOf4));

function assertOpens(name: string, exports: typeof exportsOf01): Promise<void> {
  return withFolder(async (folder) => {
    const fixture = new URL(`fixtures/${name}/export.kv`, import.meta.url);
    await Deno.copyFile(fixture, `${folder}/export.kv`);
    const kv = await Deno.openKv(`${folder}/export.kv`);
    {
      await using service = await openTestService({ kv });
      await service.worker.wakeAll();
      await service.worker.idle();
      for (const { id, uri } of exports) {
        const token = service.token({ path: "/export", destination: uri });
        const { state, ext_response } = await service.poll(id, { uri, token });
        // The first one was answered before.
        const body = id === exports[0]?.id ? "thank you" : "ok";
        assertEquals([state, ext_response], ["Finished", { status: "200 OK", body }]);
      }
      const sent = service.sent.map(({ uri, body }) => `${uri} ${new TextDecoder().decode(body)}`);
      for (const host of ["down", "slow"]) {
        const expected = exports.filter(({ uri }) => uri.includes(host));
        assertEquals(
          sent.filter((each) => each.includes(host)),
          expected.map(({ uri, data }) => `${uri} ${data}`),
        );
      }
      assertEquals(sent.length, 4);
      assertEquals(await Array.fromAsync(service.ledger.lanes()), []);
      for await (const chain of readChains(kv)) {
        assertEquals((await verifyStored(chain)).kind, "intact");
        for await (const { members } of readVerifying(chain)) {
          assert(isLedgerEntry(defined(members)));
        }
      }
      assertEquals((await kv.get(FORMAT_KEY)).value, FORMAT);
    }
    kv.close();
  });
}

Deno.test("a store of a newer format is refused, and keeps its format", async () => {
  const kv = await Deno.openKv(":memory:");
  await kv.set(FORMAT_KEY, FORMAT + 1);
  await assertRejects(() => openTestService({ kv }), Error, "this version knows 5");
  assertEquals((await kv.get(FORMAT_KEY)).value, FORMAT + 1);
  kv.close();
});

Deno.test("the process says that the store is newer than itself, and exits 1", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/data`);
    const kv = await Deno.openKv(`${folder}/data/export.kv`);
    await kv.set(FORMAT_KEY, FORMAT + 1);
    kv.close();
    const env = { EXPORT_SECRET: "a secret of the tests", DATABOX_LOCAL_PORT: "0" };
    const { code, stdout, stderr } = await runTask("start", { folder, env });
    assertEquals(code, 1);
    assertMatch(stderr, /has format 6, and this version knows 5; start the version that wrote it/);
    assert(!stdout.includes("service.listening"));
  }));

Deno.test("the ledger of a newer store is not printed, and the command says why", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/data`);
    const kv = await Deno.openKv(`${folder}/data/export.kv`);
    await kv.set(FORMAT_KEY, FORMAT + 1);
    kv.close();
    const { code, stdout, stderr } = await runTask("ledger", { folder });
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, /has format 6, and this version knows 5/);
  }));

Deno.test("an export that a newer version wrote is refused, not guessed at", () => {
  const request = { owner: "o", uri: "https://a.example/", payload: new Uint8Array() };
  const { record } = acceptExport(request, { id: "id", now: 0, giveUpAfterMs: 1 });
  const stored = { record, order: 1, hasPlace: true, first: new Uint8Array(), parts: 0 };
  const text = new TextDecoder().decode(encodeExport(stored));
  const newer = new TextEncoder().encode(text.replace('"schema":2', '"schema":3'));
  assertEquals(decodeExport(encodeExport(stored)), stored);
  assertThrows(() => decodeExport(newer), Error, "this version knows 2");
});
