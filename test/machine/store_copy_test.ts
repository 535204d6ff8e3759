/** Reading the store of a service that runs: as of one moment, beside it, and gone afterwards. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { openToRead } from "../../src/machine/store_copy.ts";
import { openStore, StoreError } from "../../src/machine/store_file.ts";
import { withFolder } from "../fakes/folder.ts";

const NO_FLOOR = 0;

async function filesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder), ({ name }) => name)).sort();
}

async function count(kv: Deno.Kv): Promise<number> {
  return (await Array.fromAsync(kv.list({ prefix: ["entry"] }))).length;
}

Deno.test("a store that is open is read as of one moment, while it is written to", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    const { kv, close } = await openStore(path);
    for (let n = 0; n < 300; n++) await kv.set(["entry", n], new Uint8Array(1_000));
    const before = await filesIn(folder);
    const copy = await openToRead(path, NO_FLOOR);
    assertEquals(await filesIn(folder), before, "the copy has no name");
    await kv.set(["entry", 300], "later");
    await kv.delete(["entry", 0]);
    assertEquals([await count(copy.kv), await count(kv)], [300, 300]);
    assertEquals((await copy.kv.get(["entry", 300])).value, null);
    copy.close();
    assertEquals((await kv.get(["entry", 300])).value, "later");
    close();
    assertEquals(await filesIn(folder), ["export.kv", "export.kv.lock"]);
  }));

Deno.test("what was committed last is in the copy, though it is not in the file yet", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    const { kv, close } = await openStore(path);
    await kv.set(["entry", 1], "in the log only");
    const copy = await openToRead(path, NO_FLOOR);
    assertEquals((await copy.kv.get(["entry", 1])).value, "in the log only");
    copy.close();
    close();
  }));

Deno.test("a store that nobody has open is read itself, and held meanwhile", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    (await openStore(path)).close();
    const store = await openToRead(path, NO_FLOOR);
    await assertRejects(() => openStore(path), StoreError, "another process holds");
    store.close();
  }));

Deno.test("without room for a copy there is none, and the message says what to do", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    const { close } = await openStore(path);
    const before = await filesIn(folder);
    const error = await assertRejects(() => openToRead(path, Number.MAX_SAFE_INTEGER), StoreError);
    for (const part of ["1 MiB", "EXPORT_FREE_SPACE_FLOOR", "stop the service"]) {
      assertStringIncludes(String(error), part);
    }
    assertEquals(await filesIn(folder), before);
    close();
  }));

Deno.test("of what is no store no copy stays behind", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    await Deno.writeTextFile(path, "no database ".repeat(1_000));
    using lock = await Deno.open(`${path}.lock`, { create: true, write: true });
    await lock.lock(true);
    await assertRejects(() => openToRead(path, NO_FLOOR), Error, "not a database");
    assertEquals(await filesIn(folder), ["export.kv", "export.kv.lock"]);
  }));
