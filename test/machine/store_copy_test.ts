/** Reading the store of a service that runs: as of one moment, beside it, and gone afterwards. */
import {
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assertRoom, openCopy, removeAbandonedCopy } from "../../src/machine/store_copy.ts";
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
    const copy = await openCopy(path, NO_FLOOR);
    assertEquals(await filesIn(folder), before);
    await kv.set(["entry", 300], "later");
    await kv.delete(["entry", 0]);
    assertEquals([await count(copy.kv), await count(kv)], [300, 300]);
    assertEquals((await copy.kv.get(["entry", 300])).value, null);
    copy.close();
    assertEquals((await kv.get(["entry", 300])).value, "later");
    close();
  }));

Deno.test("what was committed last is in the copy, though it is not in the file yet", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    const { kv, close } = await openStore(path);
    await kv.set(["entry", 1], "in the log only");
    const copy = await openCopy(path, NO_FLOOR);
    assertEquals((await copy.kv.get(["entry", 1])).value, "in the log only");
    copy.close();
    close();
  }));

Deno.test("a store that nobody has open is read in the same way, and a service may start meanwhile", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    const first = await openStore(path);
    await first.kv.set(["entry", 1], "kept");
    first.close();
    const copy = await openCopy(path, NO_FLOOR);
    const second = await openStore(path);
    assertEquals(await count(copy.kv), 1);
    second.close();
    copy.close();
  }));

Deno.test("several may read at once", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    const { kv, close } = await openStore(path);
    await kv.set(["entry", 1], "kept");
    const copies = await Promise.all([1, 2, 3].map(() => openCopy(path, NO_FLOOR)));
    for (const copy of copies) {
      assertEquals(await count(copy.kv), 1);
      copy.close();
    }
    close();
  }));

Deno.test("a copy may leave the floor and no less, and the message says what to do", () => {
  const mib = 1_048_576;
  assertRoom(3 * mib, 10 * mib, 7 * mib);
  const error = assertThrows(() => assertRoom(3 * mib, 10 * mib, 7 * mib + 1_024), StoreError);
  for (const part of ["takes 3 MiB", "10 MiB are free", "EXPORT_FREE_SPACE_FLOOR keeps 7169KiB"]) {
    assertStringIncludes(String(error), part);
  }
});

Deno.test("where there is no room, nothing is copied, and what the log holds counts too", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    const { kv, close } = await openStore(path);
    for (let n = 0; n < 100; n++) await kv.set(["entry", n], new Uint8Array(60_000));
    const sizes = await Promise.all([path, `${path}-wal`].map((each) => Deno.stat(each)));
    const [file = 0, log = 0] = sizes.map(({ size }) => size);
    const needed = Math.ceil((file + log) / 1_048_576);
    assertNotEquals(needed, Math.ceil(file / 1_048_576));
    const error = await assertRejects(() => openCopy(path, 2 ** 60), StoreError);
    assertStringIncludes(String(error), `takes ${needed} MiB`);
    assertEquals((await filesIn(folder)).includes("export.kv.copy"), false);
    close();
  }));

Deno.test("of what is no store no copy stays behind", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    await Deno.writeTextFile(path, "no database ".repeat(1_000));
    await assertRejects(() => openCopy(path, NO_FLOOR), Error, "not a database");
    assertEquals(await filesIn(folder), ["export.kv"]);
    const none = join(folder, "none.kv");
    await assertRejects(() => openCopy(none, NO_FLOOR), StoreError, "There is no store");
  }));

Deno.test("what a killed copy left is removed by the next one, and by the start of a service", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    const { close } = await openStore(path);
    const abandon = async () => {
      await Deno.mkdir(`${path}.copy`);
      await Deno.writeTextFile(`${path}.copy/export.kv`, "half of it");
    };
    await abandon();
    (await openCopy(path, NO_FLOOR)).close();
    assertEquals((await filesIn(folder)).includes("export.kv.copy"), false);
    await abandon();
    await removeAbandonedCopy(path);
    assertEquals((await filesIn(folder)).includes("export.kv.copy"), false);
    close();
  }));

Deno.test("a start leaves alone what is being copied", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    await removeAbandonedCopy(path);
    assertEquals(await filesIn(folder), []);
    await Deno.mkdir(`${path}.copy`);
    {
      using lock = await Deno.open(folder);
      await lock.lock(true);
      await removeAbandonedCopy(path);
      assertEquals(await filesIn(folder), ["export.kv.copy"]);
    }
    // Also where the store is not there any more.
    await removeAbandonedCopy(path);
    assertEquals(await filesIn(folder), []);
  }));

Deno.test("what another user's copy left is named, with what to do", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    (await openStore(path)).close();
    // Whoever is root may remove anything, but no folder from a place that is none.
    const { remove } = Deno;
    Deno.remove = () => Promise.reject(new Deno.errors.PermissionDenied("not yours"));
    try {
      await Deno.mkdir(`${path}.copy`);
      const advice = "remove it as the user who made it: not yours";
      await assertRejects(() => removeAbandonedCopy(path), StoreError, advice);
      await assertRejects(() => openCopy(path, NO_FLOOR), StoreError, advice);
    } finally {
      Deno.remove = remove;
    }
  }));

Deno.test("while it is made a copy is readable by its owner only", () =>
  withFolder(async (folder) => {
    const path = join(folder, "export.kv");
    (await openStore(path)).close();
    const { mkdir } = Deno;
    const modes: number[] = [];
    Deno.mkdir = async (place, options) => {
      await mkdir(place, options);
      modes.push(((await Deno.stat(place)).mode ?? 0) & 0o777);
    };
    try {
      (await openCopy(path, NO_FLOOR)).close();
    } finally {
      Deno.mkdir = mkdir;
    }
    assertEquals(modes, [0o700]);
  }));

/** Ends a process while it copies: what it waits for in the middle is decided here. */
async function endedBy(signal: Deno.Signal, folder: string): Promise<[number, boolean]> {
  const path = join(folder, "export.kv");
  const script = join(folder, "copy.ts");
  await Deno.writeTextFile(
    script,
    `import { openCopy } from ${
      JSON.stringify(new URL("../../src/machine/store_copy.ts", import.meta.url).href)
    };
    Deno.addSignalListener("${signal}", () => console.log("heard"));
    const { mkdir } = Deno;
    Deno.mkdir = async (...args) => {
      await mkdir(...args);
      console.log("copies");
      // Until somebody says to go on.
      await Deno.stdin.read(new Uint8Array(1));
    };
    await openCopy(${JSON.stringify(path)}, 0);
    console.log("goes on");`,
  );
  const config = fileURLToPath(new URL("../../deno.json", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", `--config=${config}`, "--allow-read", "--allow-write", "--allow-sys", script],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  assertEquals((await reader.read()).value?.trim(), "copies");
  child.kill(signal);
  assertEquals((await reader.read()).value?.trim(), "heard");
  const writer = child.stdin.getWriter();
  await writer.write(new Uint8Array(1)).catch(() => {});
  await writer.close().catch(() => {});
  const { code } = await child.status;
  const { done } = await reader.read();
  return [code, done];
}

for (const [signal, code] of [["SIGHUP", 129], ["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} ends a copying process when it has cleaned up, with ${code}`, () =>
    withFolder(async (folder) => {
      const { close } = await openStore(join(folder, "export.kv"));
      assertEquals(await endedBy(signal, folder), [code, true]);
      assertEquals((await filesIn(folder)).includes("export.kv.copy"), false);
      close();
    }));
}
