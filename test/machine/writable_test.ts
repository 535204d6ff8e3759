/** What an operator is told of folders and files that belong to somebody else. */
import { assertEquals, assertMatch } from "@std/assert";
import { dirname, join } from "node:path";
import { explained } from "../../src/machine/file_faults.ts";
import { withFolder } from "../fakes/folder.ts";

/** The user of the image; only an administrator can run something as another user. */
const OTHER = 1993;
const MODULES = [
  "cached.ts",
  "ledger/storage.ts",
  "machine/disk.ts",
  "machine/file_faults.ts",
  "machine/flags.ts",
  "machine/root_key_file.ts",
  "machine/secret_source.ts",
  "machine/store_file.ts",
  "machine/writable.ts",
];
const OPEN = `import { openStore } from "./machine/store_file.ts";
try { (await openStore(Deno.args[0])).close(); console.log("open"); }
catch (error) { console.log(error.message); }`;
const READ = `import { findSecretSource } from "./machine/secret_source.ts";
const [folder] = Deno.args;
const config = { EXPORT_SECRETS_DIR: folder, EXPORT_KV_PATH: folder + "/export.kv" };
try { console.log((await findSecretSource(config)).kind); }
catch (error) { console.log(error.message); }`;

/** What a script comes to for the other user, at `path`; `undefined` if nobody can be asked. */
async function doneByOther(
  script: string,
  folder: string,
  path: string,
): Promise<string | undefined> {
  const code = join(folder, "code");
  await Deno.mkdir(join(code, "cache"), { recursive: true });
  for (const name of MODULES) {
    await Deno.mkdir(dirname(join(code, name)), { recursive: true });
    await Deno.copyFile(new URL(`../../src/${name}`, import.meta.url), join(code, name));
  }
  await Deno.writeTextFile(join(code, "script.ts"), script);
  for (const place of [folder, code]) await Deno.chmod(place, 0o755);
  await Deno.chmod(join(code, "cache"), 0o777);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--unstable-kv", "-RW", join(code, "script.ts"), path],
    env: { DENO_DIR: join(code, "cache"), HOME: folder, NO_COLOR: "1" },
    cwd: folder,
    ...{ uid: OTHER, gid: OTHER },
  });
  try {
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    // Thrown before there is a promise: nobody but an administrator may.
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

const isAlone: boolean = await withFolder(async (folder) => {
  await Deno.mkdir(join(folder, "data"));
  await Deno.chmod(join(folder, "data"), 0o777);
  return await doneByOther(OPEN, folder, join(folder, "data", "export.kv")) !== "open";
});

const FOREIGN: readonly {
  readonly what: string;
  readonly make: (data: string) => Promise<void>;
  readonly told: RegExp;
}[] = [
  {
    what: "a folder that belongs to somebody else",
    make: (data) => Deno.chmod(data, 0o755),
    told: /Cannot write to ".*data", which belongs to user 0 \(mode 755\): .*in the image 1993$/,
  },
  {
    what: "a store that belongs to somebody else",
    make: async (data) => {
      await Deno.writeTextFile(join(data, "export.kv"), "", { mode: 0o644 });
      await Deno.chmod(data, 0o777);
    },
    told: /Cannot write to ".*export\.kv", which belongs to user 0 \(mode 644\): /,
  },
  {
    what: "a store of its own that may not be written",
    make: async (data) => {
      await Deno.writeTextFile(join(data, "export.kv"), "", { mode: 0o400 });
      await Deno.chown(join(data, "export.kv"), OTHER, OTHER);
      await Deno.chmod(data, 0o777);
    },
    told: /Cannot write to ".*export\.kv", which belongs to user 1993 \(mode 400\): /,
  },
  {
    what: "a log of the store that belongs to somebody else",
    make: async (data) => {
      await Deno.writeTextFile(join(data, "export.kv-wal"), "", { mode: 0o644 });
      await Deno.chmod(data, 0o777);
    },
    told: /Cannot write to ".*export\.kv-wal", which belongs to user 0 \(mode 644\): /,
  },
  {
    what: "a folder that may not be searched",
    make: (data) => Deno.chmod(data, 0o700),
    told: /Cannot write to ".*data", which belongs to user 0 \(mode 700\): .*in the image 1993$/,
  },
];

for (const { what, make, told } of FOREIGN) {
  Deno.test({
    name: `${what} is told with its path, its user and what to do, and nothing is made`,
    ignore: isAlone,
    fn: () =>
      withFolder(async (folder) => {
        const data = join(folder, "data");
        await Deno.mkdir(data);
        await make(data);
        const before = await Array.fromAsync(Deno.readDir(data), ({ name }) => name);
        assertMatch(await doneByOther(OPEN, folder, join(data, "export.kv")) ?? "", told);
        const after = await Array.fromAsync(Deno.readDir(data), ({ name }) => name);
        assertEquals(after.filter((name) => name !== "export.kv.lock"), before);
      }),
  });
}

const UNREADABLE: readonly {
  readonly what: string;
  readonly files: Readonly<Record<string, string>>;
  readonly mode?: number;
  readonly told: RegExp;
}[] = [
  {
    what: "an arbiter's token that belongs to somebody else",
    files: { ARBITER_TOKEN: "5ecret" },
    told:
      /^Cannot read ".*ARBITER_TOKEN", which belongs to user 0 \(mode 600\): .*in the image 1993$/,
  },
  {
    what: "a root key that belongs to somebody else",
    files: { "root.key": "5ecret" },
    told: /^Cannot read ".*root\.key", which belongs to user 0 \(mode 600\): .*in the image 1993$/,
  },
  {
    what: "a folder of secrets that may not be searched",
    files: {},
    mode: 0o700,
    told:
      /^Cannot read ".*ARBITER_TOKEN", since ".*secrets" belongs to user 0 \(mode 700\): .* 1993$/,
  },
];

for (const { what, files, mode = 0o755, told } of UNREADABLE) {
  Deno.test({
    name: `${what} is told with its path, its user and what to do`,
    ignore: isAlone,
    fn: () =>
      withFolder(async (folder) => {
        const secrets = join(folder, "secrets");
        await Deno.mkdir(secrets);
        for (const [name, text] of Object.entries(files)) {
          await Deno.writeTextFile(join(secrets, name), text, { mode: 0o600 });
        }
        await Deno.chmod(secrets, mode);
        assertMatch(await doneByOther(READ, folder, secrets) ?? "", told);
      }),
  });
}

Deno.test("of a folder in the place of a file, what to do is told", () =>
  withFolder(async (folder) => {
    const error = explained("read", folder, await Deno.readFile(folder).catch((error) => error));
    assertMatch(
      String(error),
      /Cannot read ".*", which is a folder, .*: Is a directory .*instead$/,
    );
  }));

Deno.test("what nothing can be said about stays as it is", () => {
  for (const error of [new Error("odd"), new Deno.errors.NotFound("nowhere"), "odd"]) {
    assertEquals(explained("read", "path", error), error);
  }
});
