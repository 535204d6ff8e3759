/** The rules of the house, checked: who imports whom, what only some rooms may know, and size. */
import { assert, assertEquals } from "@std/assert";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import denoJson from "../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** Rooms that a room may import from; `limits`, `clock`, `log` are for the shells. Tests may all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  exports: [],
  authorise: ["limits"],
  egress: ["limits", "clock", "growing_bytes"],
  ledger: ["exports", "limits", "clock", "counts"],
  wait: ["clock"],
  zmtp: ["clock"],
  arbiter: ["zmtp", "clock", "limits", "log"],
  deliver: ["exports", "ledger", "limits", "clock", "log", "counts"],
  http: [
    "exports",
    "authorise",
    "ledger",
    "wait",
    "limits",
    "clock",
    "log",
    "counts",
    "growing_bytes",
  ],
  machine: ["arbiter", "clock", "config", "ledger", "log"],
  config: ["authorise", "egress", "limit_settings", "limits", "quantities", "units"],
  limit_settings: ["limits", "quantities", "units"],
  quantities: ["limits", "units"],
  commands: [
    "authorise",
    "clock",
    "config",
    "egress",
    "ledger",
    "limits",
    "machine",
    "service",
    "units",
  ],
  main: ["clock", "config", "limits", "log", "machine", "service"],
  service: [
    "arbiter",
    "authorise",
    "clock",
    "config",
    "deliver",
    "egress",
    "exports",
    "http",
    "ledger",
    "limit_settings",
    "limits",
    "log",
    "machine",
    "wait",
  ],
  clock: [],
  counts: [],
  growing_bytes: [],
  limits: [],
  log: [],
  units: [],
};

/** Of the ledger, the other rooms may know the ports only. */
const LEDGER_PORTS = ["src/ledger/ledger.ts", "src/ledger/storage.ts"];

/** Packages from outside, and who may use them. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  hono: ["http"],
  zod: ["http", "config", "limit_settings", "quantities"],
  "macaroons.js": ["authorise"],
  "ipaddr.js": ["egress"],
  tweetnacl: ["zmtp"],
  "@std": ["service"],
};

interface Source {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
}

async function sources(): Promise<Source[]> {
  const paths = ["main.ts"];
  const walk = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(join(ROOT, folder))) {
      if (isDirectory) await walk(join(folder, name));
      else if (name.endsWith(".ts")) paths.push(join(folder, name));
    }
  };
  await walk("src");
  return await Promise.all(paths.map(async (path) => {
    const text = await Deno.readTextFile(join(ROOT, path));
    const imports = [...text.matchAll(/^(?:import|export)\s[^;]*?from\s+"([^"]+)"/gm)]
      .map(([, specifier = ""]) =>
        specifier.startsWith(".") ? relative(ROOT, join(ROOT, dirname(path), specifier)) : specifier
      );
    return { path, room: roomOf(path), text, imports };
  }));
}

function roomOf(path: string): string {
  return path.replace(/^src\//, "").replace(/(\/.*|\.ts)$/, "");
}

/** The code without comments and strings, so that words in them do not count. */
function codeOf({ text }: Source): string {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, " ");
}

Deno.test("rooms import only what they may", async () => {
  for (const { path, room, imports } of await sources()) {
    const permitted = MAY_IMPORT[room] ?? [];
    assert(room in MAY_IMPORT, `${path} is in no known room`);
    for (const imported of imports) {
      if (imported.startsWith("node:") || imported.endsWith(".json")) continue;
      const allowed = PACKAGES[imported.split("/")[0] ?? ""];
      if (allowed !== undefined) {
        assert(allowed.includes(room), `${path} imports ${imported}`);
        continue;
      }
      const from = roomOf(imported);
      assert(from === room || permitted.includes(from), `${path} imports ${imported}`);
      if (from === "ledger" && !["ledger", "service", "commands"].includes(room)) {
        assert(LEDGER_PORTS.includes(imported), `${path} must know the ports only`);
      }
    }
  }
});

Deno.test("no file imports itself, on however long a way", async () => {
  const all = new Map((await sources()).map((source) => [source.path, source.imports]));
  const visit = (path: string, way: readonly string[]): void => {
    assert(!way.includes(path), `cycle: ${[...way, path].join(" → ")}`);
    for (const next of all.get(path) ?? []) visit(next, [...way, path]);
  };
  for (const path of all.keys()) visit(path, []);
});

Deno.test("time and chance come in as arguments", async () => {
  const hidden =
    /\bDate\.now\b|\bnew Date\(\)|\bsetTimeout\b|\bsetInterval\b|\bMath\.random\b|\brandomUUID\b|\bAbortSignal\.timeout\b|\bperformance\.now\b/;
  // A command is a process of its own, with nobody to hand it anything.
  const may = ["main", "service", "clock", "commands"];
  for (const source of await sources()) {
    if (may.includes(source.room)) continue;
    assert(!hidden.test(codeOf(source)), `${source.path} has a clock or a die of its own`);
  }
});

/** What a room may know of the runtime: the ledger its store, egress its sockets. */
const OWN_DENO: Readonly<Record<string, RegExp>> = {
  ledger: /^Deno\.(Kv\w*|Atomic\w*)$/,
  egress: /^Deno\.(Conn|TcpConn|TlsConn|connect|startTls|errors)$/,
};

Deno.test("only the shells know Deno, but for the store of the ledger and the sockets of egress", async () => {
  const shells = ["main", "service", "machine", "commands"];
  for (const source of await sources()) {
    if (shells.includes(source.room)) continue;
    const uses = codeOf(source).match(/\bDeno\.\w+/g) ?? [];
    const own = OWN_DENO[source.room] ?? /^$/;
    assertEquals(uses.filter((use) => !own.test(use)), [], source.path);
  }
});

Deno.test("importing a module does nothing", async () => {
  for (const source of await sources()) {
    const lines = codeOf(source).split("\n");
    const acting = lines.filter((line) => /^(await|for|while|[a-z]\w*(\.\w+)*\()/.test(line));
    assertEquals(acting, [], source.path);
  }
});

Deno.test("a file is one idea: 250 lines at most, and its first lines say what it is", async () => {
  for (const { path, text } of await sources()) {
    assert(text.split("\n").length <= 251, `${path} holds more than one idea`);
    assert(text.startsWith("/**"), `${path} does not say what it is`);
  }
});

Deno.test("a function fits on a screen: 60 lines at most", async () => {
  for (const { path, text } of await sources()) {
    const lines = text.split("\n");
    for (const [start, line] of lines.entries()) {
      const [, indent] =
        /^(\s*)(?:export |async |static )*(?:function\b|[#\w]+\(.*\{$)/.exec(line) ?? [];
      if (indent === undefined) continue;
      const ends = [`${indent}}`, `${indent}},`];
      const length = lines.slice(start).findIndex((other) => ends.includes(other)) + 1;
      assert(length <= 60, `${path}:${start + 1} has ${length} lines`);
    }
  }
});

Deno.test("every permission of the service is explained, and no other is", async () => {
  const explained = await Deno.readTextFile(join(ROOT, "SECURITY.md"));
  const flags = denoJson.tasks.start.match(/--(allow|deny)-\w+(=('[^']*'|\S+))?/g) ?? [];
  const written = flags.map((flag) => flag.startsWith("--deny-net") ? "--deny-net=…" : flag);
  const rows = [...explained.matchAll(/^\| `(--[^`]+)` *\|/gm)].map(([, flag = ""]) => flag);
  assertEquals(rows.toSorted(), written.toSorted());
});
