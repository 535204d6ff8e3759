/** What an operator is told of a data folder or a store that belongs to somebody else. */
import { assertEquals, assertMatch } from "@std/assert";
import { join } from "node:path";
import { withFolder } from "../fakes/folder.ts";

/** The user of the image; only an administrator can run something as another user. */
const OTHER = 1993;
const MODULES = ["store_file.ts", "writable.ts"];
const SCRIPT = `import { openStore } from "./store_file.ts";
try { (await openStore(Deno.args[0])).close(); console.log("open"); }
catch (error) { console.log(error.message); }`;

/** What opening the store at `path` comes to for the other user; `undefined` if nobody can be asked. */
async function openedByOther(folder: string, path: string): Promise<string | undefined> {
  const code = join(folder, "code");
  await Deno.mkdir(join(code, "cache"), { recursive: true });
  for (const name of MODULES) {
    await Deno.copyFile(new URL(`../../src/machine/${name}`, import.meta.url), join(code, name));
  }
  await Deno.writeTextFile(join(code, "open.ts"), SCRIPT);
  for (const place of [folder, code]) await Deno.chmod(place, 0o755);
  await Deno.chmod(join(code, "cache"), 0o777);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-config", "--unstable-kv", "-RW", join(code, "open.ts"), path],
    env: { DENO_DIR: join(code, "cache"), HOME: folder, NO_COLOR: "1" },
    cwd: folder,
    ...{ uid: OTHER, gid: OTHER },
  });
  const output = await command.output().catch(() => undefined);
  return output?.success ? new TextDecoder().decode(output.stdout).trim() : undefined;
}

const isAlone: boolean = await withFolder(async (folder) => {
  await Deno.mkdir(join(folder, "data"));
  await Deno.chmod(join(folder, "data"), 0o777);
  return await openedByOther(folder, join(folder, "data", "export.kv")) !== "open";
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
        assertMatch(await openedByOther(folder, join(data, "export.kv")) ?? "", told);
        const after = await Array.fromAsync(Deno.readDir(data), ({ name }) => name);
        assertEquals(after.filter((name) => name !== "export.kv.lock"), before);
      }),
  });
}
