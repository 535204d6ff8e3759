/** The rules of the house, checked: who imports whom, what only some rooms may know, and size. */
import { assert, assertEquals } from "@std/assert";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import denoJson from "../deno.json" with { type: "json" };
import { defined } from "./fakes/expect.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));

/** What a room, or a shell, may import from; README tells of the rooms among it. Tests may all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  exports: [],
  authorise: ["bucket"],
  egress: ["limits", "clock", "deadline", "growing_bytes"],
  ledger: ["exports", "limits", "clock", "counts", "cached"],
  wait: ["clock"],
  zmtp: [],
  arbiter: ["zmtp", "clock", "deadline", "log"],
  deliver: ["exports", "ledger", "limits", "clock", "log", "counts"],
  http: [
    "exports",
    "authorise",
    "ledger",
    "wait",
    "limits",
    "clock",
    "log",
    "bucket",
    "counts",
    "deadline",
    "growing_bytes",
    "cached",
  ],
  machine: [
    "arbiter",
    "clock",
    "config",
    "deadline",
    "ledger",
    "limits",
    "log",
    "cached",
    "units",
  ],
  config: ["authorise", "egress", "limit_settings", "limits", "quantities"],
  limit_settings: ["limits", "quantities"],
  quantities: ["limits", "units"],
  commands: [
    "authorise",
    "clock",
    "config",
    "egress",
    "exports",
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
    "metrics",
    "wait",
  ],
  bucket: [],
  clock: [],
  counts: [],
  deadline: ["clock"],
  cached: ["clock"],
  growing_bytes: [],
  limits: [],
  log: [],
  metrics: ["log"],
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
  "prom-client": ["metrics"],
  tweetnacl: ["zmtp"],
  "@std": ["service"],
};

/** What is Node's, and who may use it: only egress and the health check have ways out. */
const NODE: Readonly<Record<string, readonly string[]>> = {
  "node:buffer": ["arbiter", "authorise", "egress", "machine"],
  "node:crypto": ["authorise", "egress", "exports", "http", "ledger", "machine"],
  "node:dns/promises": ["egress"],
  "node:events": ["egress"],
  "node:fs/promises": ["machine"],
  "node:http": ["commands", "egress"],
  "node:net": ["egress"],
  "node:path": ["machine"],
  "node:process": ["log"],
  "node:sqlite": ["machine"],
  "node:tls": ["commands", "egress"],
  "node:util": ["machine"],
};

interface Source {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
}

/** Also of what is loaded only where it is wanted. */
const IMPORT = /(?:^(?:import|export)\s(?:[^;"]*?\sfrom\s+)?|\bimport\()"([^"]+)"/gm;

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
    const imports = [...text.matchAll(IMPORT)]
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
      if (imported.endsWith(".json")) continue;
      const allowed = imported.startsWith("node:")
        ? NODE[imported] ?? []
        : PACKAGES[imported.split("/")[0] ?? ""];
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

/** What a room may know of the runtime: the ledger its store. */
const OWN_DENO: Readonly<Record<string, RegExp>> = {
  ledger: /^Deno\.(Kv\w*|Atomic\w*)$/,
};

Deno.test("only the shells know Deno, but for the store of the ledger", async () => {
  const shells = ["main", "service", "machine", "commands"];
  for (const source of await sources()) {
    if (shells.includes(source.room)) continue;
    const uses = codeOf(source).match(/\bDeno\.\w+/g) ?? [];
    const own = OWN_DENO[source.room] ?? /^$/;
    assertEquals(uses.filter((use) => !own.test(use)), [], source.path);
  }
});

Deno.test("nothing leaves but through egress: no other room has the runtime's own ways out", async () => {
  const waysOut = /\bfetch\b|\b(WebSocket|WebSocketStream|EventSource|Worker)\(|\bimport\(/;
  // The one hands the other its fetch, for the arbiter alone; the demo is an app.
  const may = ["service", "arbiter", "commands"];
  for (const source of await sources()) {
    if (may.includes(source.room)) continue;
    assert(!waysOut.test(codeOf(source)), `${source.path} has a way out of its own`);
  }
});

Deno.test("importing a module does nothing", async () => {
  for (const source of await sources()) {
    const lines = codeOf(source).split("\n");
    const acting = lines.filter((line) =>
      /^(await|for|while|[a-z]\w*(\.\w+)*\(|(export )?(const|let) .*= await\b)/.test(line)
    );
    assertEquals(acting, [], source.path);
  }
});

Deno.test("a file is one idea: 250 lines at most, and its first lines say what it is", async () => {
  for (const { path, text } of await sources()) {
    assert(text.split("\n").length <= 251, `${path} holds more than one idea`);
    assert(text.startsWith("/**"), `${path} does not say what it is`);
  }
});

/** Where in `text` blocks of more than 60 lines begin, of functions as they are formatted here. */
function longBlocks(text: string): number[] {
  const lines = text.split("\n");
  return lines.flatMap((line, start) => {
    // However the head is broken into lines, the last one ends like this.
    const [, indent] = /^(\s*).*(?:\)|=>|\)(?: is|:) [^;]+) \{$/.exec(line) ?? [];
    if (indent === undefined) return [];
    const length = lines.slice(start).findIndex((other, n) =>
      n > 0 && other.startsWith(`${indent}}`)
    );
    return length + 1 > 60 ? [start + 1] : [];
  });
}

Deno.test("a function fits on a screen: 60 lines at most", async () => {
  for (const { path, text } of await sources()) {
    assertEquals(longBlocks(text), [], path);
  }
});

const HEADS = [
  "export async function run(): Promise<void> {",
  "  async accept(\n    change: Change,\n  ): Promise<Acceptance> {",
  "  readonly accept: Accept = (change) => {",
  "  const run = async () => {",
  "  #close() {",
  "function isOne(value: unknown): value is One {",
  "export function of({\n  a,\n}: A): readonly [a: string, b: Map<string, () => void>] {",
];

for (const head of HEADS) {
  Deno.test(`a function that begins with ${JSON.stringify(head)} is measured`, () => {
    const [, indent = ""] = /^(\s*)/.exec(head) ?? [];
    const withLines = (count: number) =>
      `${head}\n${`${indent}  line();\n`.repeat(count - 2)}${indent}}\n`;
    assertEquals(longBlocks(withLines(60)), []);
    assertEquals(longBlocks(withLines(61)).length, 1);
  });
}

Deno.test("README tells every event of the log", async () => {
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  const [, section = ""] = /^### The log\n([^]*?)^## /m.exec(readme) ?? [];
  const told = [...section.matchAll(/`(\w+\.\w+)`/g)].map(([, event = ""]) => event);
  const logged = (await sources()).flatMap(({ text }) =>
    [...text.matchAll(/\bevent: "(\w+\.\w+)"/g)].map(([, event = ""]) => event)
  );
  const changing = ["host.unreachable", "host.reachable"];
  assertEquals(told.toSorted(), [...new Set([...logged, ...changing])].toSorted());
});

Deno.test("README tells who imports whom among the rooms", async () => {
  const readme = await Deno.readTextFile(join(ROOT, "README.md"));
  const rows = [...readme.matchAll(/^\| `(src\/\w+|main\.ts)`\s*\|[^|]*\|([^|]*)\|$/gm)];
  const told = new Map(rows.map(([, path = "", imports = ""]) => {
    const names = [...imports.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name);
    return [roomOf(path), names.toSorted()];
  }));
  const isTold = (room: string) => told.has(room);
  const folders = await Array.fromAsync(Deno.readDir(join(ROOT, "src")));
  const rooms = folders.filter(({ isDirectory }) => isDirectory).map(({ name }) => name);
  assertEquals([...told.keys()].toSorted(), [...rooms, "main"].toSorted());
  for (const [room, names] of told) {
    assertEquals(names, defined(MAY_IMPORT[room]).filter(isTold).toSorted(), room);
  }
});

/** The name of a package in what an import map gives for it, or an import says. */
function packageOf(specifier: string): string {
  const target = Object.entries(denoJson.imports)
    .find(([name]) => specifier === name || specifier.startsWith(`${name}/`))?.[1] ?? specifier;
  return target.replace(/^npm:/, "").replace(/@[\d^].*$/, "");
}

Deno.test("every package is told with its reason, and which of them the service is made of", async () => {
  const contributing = await Deno.readTextFile(join(ROOT, "CONTRIBUTING.md"));
  const [, table = ""] = contributing.split(/^\| package .*\n/m, 2);
  const rows = [...table.matchAll(/^\| `([\w.-]+)`\s*\| ([^|]*\S)\s*\|[^|]*\|[^|]*\|$/gm)];
  const told = new Map(rows.map(([, name = "", where = ""]) => [name, where]));
  const known = new Set(Object.keys(denoJson.imports).map(packageOf));
  assertEquals([...told.keys()].toSorted(), [...known].toSorted());

  const all = new Map((await sources()).map((source) => [source.path, source.imports]));
  const reached = new Set<string>();
  const visit = (path: string) => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const next of all.get(path) ?? []) visit(next);
  };
  visit("main.ts");
  const used = new Set([...reached].filter((path) => !all.has(path)).map(packageOf));
  const inService = [...used].filter((name) => known.has(name));
  const toldSo = [...told].filter(([, where]) => where === "the service").map(([name]) => name);
  assertEquals(toldSo.toSorted(), inService.toSorted());
});

Deno.test("every permission of the service is explained, and no other is", async () => {
  const explained = await Deno.readTextFile(join(ROOT, "SECURITY.md"));
  const flags = denoJson.tasks.start.match(/--(allow|deny)-\w+(=('[^']*'|\S+))?/g) ?? [];
  const written = flags.map((flag) => flag.startsWith("--deny-net") ? "--deny-net=…" : flag);
  const rows = [...explained.matchAll(/^\| `(--[^`]+)` *\|/gm)].map(([, flag = ""]) => flag);
  assertEquals(rows.toSorted(), written.toSorted());
});
