import { assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { obtainRootKey, readRootKey, rootKeyPath } from "../../src/machine/root_key_file.ts";

async function withTempDir(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The permission bits of a file or folder, in octal. */
async function modeOf(path: string): Promise<string> {
  return (((await Deno.stat(path)).mode ?? 0) & 0o777).toString(8);
}

Deno.test("the root key lies beside the store", () => {
  assertEquals(rootKeyPath("data/export.kv"), join("data", "root.key"));
  assertEquals(rootKeyPath("/var/lib/box/store"), join("/var/lib/box", "root.key"));
  assertEquals(rootKeyPath("export.kv"), "root.key");
  assertEquals(rootKeyPath(":memory:"), join("data", "root.key"));
});

Deno.test("at the first start a root key of 256 bits is made, which only its owner can read", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "new", "data", "root.key");
    const key = await obtainRootKey(path);
    assertMatch(key, /^[\w-]{43}$/);
    assertEquals(Uint8Array.fromBase64(key, { alphabet: "base64url" }).length, 32);
    assertEquals(await Deno.readTextFile(path), `${key}\n`);
    assertEquals(await modeOf(path), "600");
    assertEquals(await modeOf(join(folder, "new", "data")), "700");
    assertEquals(await modeOf(join(folder, "new")), "700");
  });
});

Deno.test("at every later start it is the same key", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "root.key");
    const key = await obtainRootKey(path);
    assertEquals(await obtainRootKey(path), key);
    assertEquals(await readRootKey(path), key);
  });
});

Deno.test("of two first starts at once, the later takes the key of the earlier", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "root.key");
    const { link } = Deno;
    // The other one is there between the look and the link.
    const overtaken: typeof link = async (from, to) => {
      await Deno.writeTextFile(path, "the earlier key\n");
      await link(from, to);
    };
    Object.assign(Deno, { link: overtaken });
    try {
      assertEquals(await obtainRootKey(path), "the earlier key");
    } finally {
      Object.assign(Deno, { link });
    }
    const left = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
    assertEquals(left, ["root.key"]);
  });
});

Deno.test("no two services make the same key", async () => {
  await withTempDir(async (folder) => {
    assertNotEquals(
      await obtainRootKey(join(folder, "one.key")),
      await obtainRootKey(join(folder, "other.key")),
    );
  });
});

Deno.test("a key of the operator's own is used as it is, without the blanks around it", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "root.key");
    await Deno.writeTextFile(path, "\n my own key \r\n");
    assertEquals(await obtainRootKey(path), "my own key");
    assertEquals(await Deno.readTextFile(path), "\n my own key \r\n");
  });
});

Deno.test("where there is no file there is no key, and reading makes none", async () => {
  await withTempDir(async (folder) => {
    assertEquals(await readRootKey(join(folder, "root.key")), undefined);
    assertEquals(await readRootKey(join(folder, "nowhere", "root.key")), undefined);
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
  });
});

Deno.test("an empty file is refused, never taken for a key nor overwritten", async () => {
  await withTempDir(async (folder) => {
    const path = join(folder, "root.key");
    for (const content of ["", " \n"]) {
      await Deno.writeTextFile(path, content);
      await assertRejects(() => obtainRootKey(path), Error, path);
      const told = "it is empty; restore it from the backup, or delete it, which voids all tokens";
      await assertRejects(() => readRootKey(path), Error, told);
      assertEquals(await Deno.readTextFile(path), content);
    }
  });
});

Deno.test("what cannot be read is told, not taken for missing", async () => {
  await withTempDir(async (folder) => {
    await assertRejects(() => readRootKey(folder));
    await assertRejects(() => obtainRootKey(folder));
  });
});
