import { assertEquals, assertInstanceOf, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { namingDamage, openStore, requireStore, StoreError } from "../../src/machine/store_file.ts";

async function withTempDir(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a store is made with its folder, which only its owner can enter", async () => {
  await withTempDir(async (folder) => {
    const data = join(folder, "new", "data");
    const store = await openStore(join(data, "export.kv"));
    try {
      await store.kv.set(["a"], 1);
      assertEquals((await store.kv.get(["a"])).value, 1);
    } finally {
      store.close();
    }
    assertEquals(((await Deno.stat(data)).mode ?? 0) & 0o777, 0o700);
  });
});

Deno.test("in a folder that others may enter, only its owner can read the store", async () => {
  await withTempDir(async (folder) => {
    await Deno.chmod(folder, 0o755);
    const path = join(folder, "export.kv");
    const store = await openStore(path);
    try {
      await store.kv.set(["a"], 1);
      for (const file of [path, `${path}-wal`, `${path}-shm`]) {
        assertEquals(((await Deno.stat(file)).mode ?? 0) & 0o077, 0, file);
      }
    } finally {
      store.close();
    }
  });
});

Deno.test("one process at a time: a second opening is refused, and says what to do", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "export.kv");
    const store = await openStore(path);
    try {
      const error = await assertRejects(() => openStore(path), StoreError);
      assertInstanceOf(error, StoreError);
      for (const part of [path, "another process", "stop that one", "EXPORT_KV_PATH"]) {
        assertStringIncludes(error.message, part);
      }
      await store.kv.set(["still"], "open");
    } finally {
      store.close();
    }
  });
});

Deno.test("once closed, a store opens again with all that was in it", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "export.kv");
    const first = await openStore(path);
    await first.kv.set(["a"], "kept");
    first.close();
    const second = await openStore(path);
    assertEquals((await second.kv.get(["a"])).value, "kept");
    second.close();
  });
});

Deno.test("where a store must be there, none is made, and the message says what to set", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "data", "export.kv");
    const error = await assertRejects(() => requireStore(path), StoreError);
    assertStringIncludes(error.message, `There is no store at "${path}"; set EXPORT_KV_PATH`);
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
    (await openStore(path)).close();
    await requireStore(path);
    const beyond = join(path, "export.kv");
    await assertRejects(() => requireStore(beyond), StoreError, "Cannot open the store");
  });
});

Deno.test("stores on two files are open side by side", async () => {
  await withTempDir(async (folder) => {
    const one = await openStore(join(folder, "one.kv"));
    const other = await openStore(join(folder, "other.kv"));
    await one.kv.set(["a"], 1);
    assertEquals((await other.kv.get(["a"])).value, null);
    one.close();
    other.close();
  });
});

Deno.test("a store in memory leaves no file, may be had often, and is forgotten", async () => {
  const one = await openStore(":memory:");
  const other = await openStore(":memory:");
  await one.kv.set(["a"], 1);
  assertEquals((await other.kv.get(["a"])).value, null);
  one.close();
  other.close();
  await assertRejects(() => Deno.stat(":memory:.lock"), Deno.errors.NotFound);
});

Deno.test("where no folder can be, the store says so", async () => {
  await withTempDir(async (folder) => {
    const file = join(folder, "file");
    await Deno.writeTextFile(file, "");
    const path = join(file, "export.kv");
    const error = await assertRejects(() => openStore(path), StoreError);
    assertInstanceOf(error, StoreError);
    assertStringIncludes(error.message, `Cannot open the store at "${path}"`);
    assertInstanceOf(error.cause, Error);
  });
});

Deno.test("a store that cannot be opened is not held: the cause removed, it opens", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "export.kv");
    await Deno.mkdir(path);
    const error = await assertRejects(() => openStore(path), StoreError);
    assertInstanceOf(error, StoreError);
    assertStringIncludes(error.message, path);
    await Deno.remove(path);
    const store = await openStore(path);
    store.close();
  });
});

Deno.test({
  name: "without permission for its folder, the store says which flags it takes",
  permissions: { read: false, write: false },
  fn: async () => {
    const error = await assertRejects(() => openStore("elsewhere/export.kv"), StoreError);
    assertInstanceOf(error, StoreError);
    for (const part of ["elsewhere/export.kv", "permission", "data/", "--allow-write"]) {
      assertStringIncludes(error.message, part);
    }
    assertInstanceOf(error.cause, Deno.errors.NotCapable);
  },
});

const DAMAGES = [
  "file is not a database",
  "database disk image is malformed",
  "The value encoding 0 is unknown.",
  "could not deserialize value",
  "Invalid column type Text at index: 1, name: v",
  "unexpected end of file",
  "invalid utf8",
  "invalid tag",
  "unknown bigint tag: 3",
  "Cannot read the former secrets: what the store holds is damaged",
];

for (const damage of DAMAGES) {
  Deno.test(`where "${damage}" is said of a store, the file is named and the backup`, async () => {
    const cause = new TypeError(damage);
    const error = await assertRejects(
      () => namingDamage("data/export.kv", () => Promise.reject(cause)),
      StoreError,
      `Cannot read the store at "data/export.kv": ${damage}\nThe store is damaged`,
    );
    assertEquals(error.cause, cause);
  });
}

Deno.test("of a record that is no JSON any more nothing is quoted: it may hold a payload", async () => {
  const error = await assertRejects(
    () => namingDamage("data/export.kv", async () => await JSON.parse('{"name": "Ann')),
    StoreError,
    'Cannot read the store at "data/export.kv": a value in it cannot be read\nThe store is damaged',
  );
  assertEquals(error.message.includes("Ann"), false);
});

Deno.test("what does not come of damage is not changed, nor is what comes of the work", async () => {
  for (const error of [new StoreError("Cannot open it: malformed"), new Error("disk I/O error")]) {
    const thrown = await assertRejects(() => namingDamage("a", () => Promise.reject(error)));
    assertEquals(thrown, error);
  }
  assertEquals(await namingDamage("a", () => Promise.resolve(1)), 1);
});
