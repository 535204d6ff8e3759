/**
 * The store in trouble, as the machine makes it: a disk that fills up, a file that another process
 * holds, that is gone, or that is damaged; each under the real service.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { statfs } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { exportCaveats, mintToken } from "../src/authorise/mint.ts";
import { DestinationServer } from "./fakes/destination_server.ts";
import { runTask, type ServiceProcess, startProcess } from "./fakes/service_process.ts";
import { withFolder } from "./fakes/folder.ts";

const SECRET = "a secret of the tests";
const MIB = 1_048_576;
const LARGE = JSON.stringify({ filling: "x".repeat(700_000) });

/** A folder in which the store will be in `data`, which is there. */
function withDataFolder(story: (folder: string) => Promise<void>): Promise<void> {
  return withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/data`);
    await story(folder);
  });
}

function start(folder: string, more: Record<string, string> = {}): Promise<ServiceProcess> {
  return startProcess({ folder, env: { EXPORT_SECRET: SECRET, ...more } });
}

async function ask({ port }: ServiceProcess, uri: string, id: string, data = "{}") {
  const access = { target: "export-service", path: "/lp/export", method: "POST", destination: uri };
  const response = await fetch(`http://127.0.0.1:${port}/lp/export`, {
    method: "POST",
    headers: { "x-api-key": mintToken(SECRET, { caveats: exportCaveats(access) }) },
    body: JSON.stringify({ id, uri, data }),
  });
  const retryAfter = response.headers.get("retry-after");
  return { status: response.status, retryAfter, answer: await response.json() };
}

async function finished(service: ServiceProcess, uri: string, id: string): Promise<void> {
  for (;;) {
    const { status, answer } = await ask(service, uri, id);
    if (status === 200 && answer.state === "Finished") {
      return assertEquals(answer.ext_response.status, "200 OK");
    }
  }
}

/** Submits until the answer is of another status; tells the ids so far, and that answer. */
async function submitWhile(service: ServiceProcess, uri: string, status: number, data?: string) {
  const ids: string[] = [];
  for (;;) {
    const said = await ask(service, uri, "", data);
    if (said.status !== status) return { ids, said };
    if (status === 200) ids.push(said.answer.id);
  }
}

async function isReady({ port }: ServiceProcess): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}/health/ready`);
  await response.body?.cancel();
  return response.status === 200;
}

function assertRefused(
  said: { status: number; retryAfter: string | null; answer: { type: string } },
) {
  assertEquals([said.status, said.retryAfter], [503, "5"]);
  assertMatch(said.answer.type, /:store_unavailable$/);
}

/** A disk of 24 MiB at `place` for as long as the story takes. */
async function withSmallDisk(place: string, story: () => Promise<void>): Promise<void> {
  const mounted = await run("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", place]);
  assert(mounted, "Cannot mount a small disk");
  try {
    await story();
  } finally {
    await run("umount", [place]);
  }
}

/** It takes an administrator, and a system that lets one. */
async function canMount(): Promise<boolean> {
  const place = await Deno.makeTempDir();
  try {
    return await run("mount", ["-t", "tmpfs", "tmpfs", place]) && await run("umount", [place]);
  } finally {
    await Deno.remove(place);
  }
}

const noSmallDisk = !await canMount();

async function run(tool: string, args: readonly string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(tool, { args: [...args], stderr: "null" }).output()).success;
  } catch {
    return false;
  }
}

const SMALL = { EXPORT_FREE_SPACE_FLOOR: "8MiB" };

Deno.test({
  name: "a disk that fills up: submissions are refused in time, nothing accepted is lost",
  ignore: noSmallDisk,
  fn: () =>
    withDataFolder((folder) =>
      withSmallDisk(`${folder}/data`, async () => {
        const open = Promise.withResolvers<void>();
        await using destination = new DestinationServer(async () => {
          await open.promise;
          return new Response("ok");
        });
        const uri = destination.uri();
        await using service = await start(folder, SMALL);
        const { ids, said } = await submitWhile(service, uri, 200, LARGE);
        assertRefused(said);
        assert(ids.length > 5, `${ids.length}`);
        // A smaller one would find room until the disk itself has less than the floor.
        const { bavail, bsize } = await statfs(`${folder}/data`);
        const ballast = new Uint8Array(Math.max(0, bavail * bsize - 7 * MIB));
        await Deno.writeFile(`${folder}/data/ballast`, ballast);
        while (await isReady(service));
        open.resolve();
        for (const id of ids) await finished(service, uri, id);
        // What was delivered made room in the store's file, though none on the disk.
        const { said: accepted } = await submitWhile(service, uri, 503, LARGE);
        assertEquals(accepted.status, 200);
        // The answer of before is worth a second.
        while (!await isReady(service));
        await finished(service, uri, accepted.answer.id);
        assertEquals(destination.arrivals.length, ids.length + 1);
      })
    ),
});

Deno.test({
  name: "a start on a disk that is full listens and says no, and works as soon as there is room",
  ignore: noSmallDisk,
  fn: () =>
    withDataFolder((folder) =>
      withSmallDisk(`${folder}/data`, async () => {
        await using destination = new DestinationServer();
        const uri = destination.uri();
        await (await start(folder, SMALL)).kill("SIGTERM");
        await Deno.writeFile(`${folder}/data/ballast`, new Uint8Array(20 * MIB));
        await using service = await start(folder, SMALL);
        assertRefused(await ask(service, uri, ""));
        assertEquals(await isReady(service), false);
        await Deno.remove(`${folder}/data/ballast`);
        const { said } = await submitWhile(service, uri, 503);
        await finished(service, uri, said.answer.id);
      })
    ),
});

Deno.test({
  name: "a start on a disk without the least room says that the disk is full, and what to do",
  ignore: noSmallDisk,
  fn: () =>
    withDataFolder((folder) =>
      withSmallDisk(`${folder}/data`, async () => {
        const fill = async () => {
          const { bavail, bsize } = await statfs(`${folder}/data`);
          await Deno.writeFile(`${folder}/data/ballast`, new Uint8Array(bavail * bsize));
        };
        await fill();
        const full = /the disk is full.*\n.*free a MiB/i;
        assertMatch(
          await startFault(folder, {}),
          /^Cannot write to "data", since the disk is full/,
        );
        assertMatch(await startFault(folder, {}), full);
        await Deno.remove(`${folder}/data/ballast`);
        await (await start(folder, SMALL)).kill("SIGTERM");
        await fill();
        assertMatch(await startFault(folder), /at "data\/export\.kv": .*disk I\/O error/);
        assertMatch(await startFault(folder), full);
        await Deno.remove(`${folder}/data/ballast`);
        await using service = await start(folder, SMALL);
        assert(await isReady(service));
      })
    ),
});

Deno.test({
  name:
    "a start on a disk that is low goes on with what was accepted, in order, whatever waits for whom",
  ignore: noSmallDisk,
  fn: () =>
    withDataFolder((folder) =>
      withSmallDisk(`${folder}/data`, async () => {
        const killed = Promise.withResolvers<void>();
        await using destination = new DestinationServer(async () => {
          await killed.promise;
          return new Response("ok");
        });
        const uris = ["/a", "/b", "/c"].map((path) => destination.uri(path));
        const settings = { EXPORT_FREE_SPACE_FLOOR: "12MiB", EXPORT_PARALLEL_PER_HOST: "1" };
        const service = await start(folder, settings);
        const accepted: { readonly uri: string; readonly id: string; readonly data: string }[] = [];
        for (const uri of [...uris, ...uris, ...uris]) {
          const data = JSON.stringify([accepted.length]);
          accepted.push({ uri, data, id: (await ask(service, uri, "", data)).answer.id });
        }
        await service.kill("SIGKILL");
        const { bavail, bsize } = await statfs(`${folder}/data`);
        await Deno.writeFile(`${folder}/data/ballast`, new Uint8Array(bavail * bsize - 10 * MIB));
        const before = destination.arrivals.length;
        killed.resolve();
        await using next = await start(folder, settings);
        assertRefused(await ask(next, destination.uri("/a"), ""));
        for (const { uri, id } of accepted) await finished(next, uri, id);
        const bodies = destination.arrivals.slice(before).map(({ body }) => body);
        for (const lane of uris) {
          const theirs = accepted.filter(({ uri }) => uri === lane).map(({ data }) => data);
          assertEquals(bodies.filter((body) => theirs.includes(body)), theirs);
        }
      })
    ),
});

Deno.test("a store that another process holds: 503 until it lets go, then everything goes on", () =>
  withDataFolder(async (folder) => {
    await using destination = new DestinationServer();
    const uri = destination.uri();
    await using service = await start(folder);
    const other = new DatabaseSync(`${folder}/data/export.kv`);
    other.exec("BEGIN EXCLUSIVE");
    assertRefused(await ask(service, uri, ""));
    other.exec("COMMIT");
    other.close();
    const { said } = await submitWhile(service, uri, 503);
    await finished(service, uri, said.answer.id);
    assertEquals(destination.arrivals.length, 1);
  }));

Deno.test("a store whose file is taken away: what is accepted is in the file that comes back", () =>
  withDataFolder(async (folder) => {
    await using destination = new DestinationServer();
    const uri = destination.uri();
    const path = `${folder}/data/export.kv`;
    const accepted: string[] = [];
    {
      await using service = await start(folder);
      await Deno.rename(path, `${path}.away`);
      for (;;) {
        // The runtime itself ends the process if its queue is the first to notice.
        const said = await ask(service, uri, "").catch(() => undefined);
        if (said?.status !== 200) {
          if (said !== undefined) assertRefused(said);
          break;
        }
        accepted.push(said.answer.id);
      }
      await Deno.rename(`${path}.away`, path);
    }
    await using service = await start(folder);
    const { answer } = await ask(service, uri, "");
    for (const id of [...accepted, answer.id]) await finished(service, uri, id);
  }));

/** What the operator of a service that does not start is told. */
async function startFault(
  folder: string,
  env: Readonly<Record<string, string>> = { EXPORT_SECRET: SECRET },
): Promise<string> {
  const { code, stderr } = await runTask("start", { folder, env });
  assertEquals(code, 1);
  return stderr;
}

/** What shows when the store is read, not when it is opened; and what is said of it. */
const LATER_DAMAGES: readonly (readonly [(path: string) => Promise<void>, RegExp])[] = [
  [loseRows, /at "data\/export\.kv": .*malformed\n.*restore it/],
  [loseEncodings, /at "data\/export\.kv": The value encoding 0 is unknown\.\n.*restore it/],
];

/** Overwrites the page from which all rows are found. */
async function loseRows(path: string): Promise<void> {
  const store = new DatabaseSync(path);
  const row = store.prepare("select rootpage from sqlite_master where name = 'kv'").get();
  store.close();
  const bytes = await Deno.readFile(path);
  const first = (Number(row?.rootpage) - 1) * 4_096;
  await Deno.writeFile(path, bytes.fill(0xff, first, first + 4_096));
}

/** As the end of a page that was cut off is read: as zeros. */
function loseEncodings(path: string): Promise<void> {
  const store = new DatabaseSync(path);
  store.exec("update kv set v_encoding = 0");
  store.close();
  return Promise.resolve();
}

Deno.test("a store that is damaged is not started on, and the fault names the file", () =>
  withDataFolder(async (folder) => {
    const path = `${folder}/data/export.kv`;
    await (await start(folder)).kill("SIGTERM");
    const whole = await Deno.readFile(path);
    // All but the first page.
    await Deno.writeFile(path, whole.map((byte, n) => n < 4_096 ? byte : byte ^ n & 0xff));
    assertMatch(await startFault(folder), /at "data\/export\.kv": .*malformed\n.*restore it/);
    await Deno.writeTextFile(path, "not a store".repeat(1_000));
    assertMatch(await startFault(folder), /at "data\/export\.kv": .*not a database\n.*restore it/);
    for (const [damage, said] of LATER_DAMAGES) {
      await Deno.writeFile(path, whole);
      await damage(path);
      assertMatch(await startFault(folder), said);
    }
    await Deno.writeFile(path, whole);
    await using service = await start(folder);
    assert(await isReady(service));
  }));

Deno.test("of a store that is damaged no ledger is shown, and the fault names the file", () =>
  withDataFolder(async (folder) => {
    const path = `${folder}/data/export.kv`;
    await (await start(folder)).kill("SIGTERM");
    const whole = await Deno.readFile(path);
    const fault = async () => {
      const { code, stderr } = await runTask("ledger", { folder, args: ["--verify"] });
      assertEquals(code, 1);
      return stderr;
    };
    for (const [damage, said] of LATER_DAMAGES) {
      await Deno.writeFile(path, whole);
      await damage(path);
      assertMatch(await fault(), said);
    }
    await Deno.writeTextFile(path, "not a store".repeat(1_000));
    assertMatch(await fault(), /at "data\/export\.kv": .*not a database\n.*restore it/);
  }));

Deno.test({
  name: "a first start where nothing may be written names the folder, and says why",
  ignore: noSmallDisk,
  fn: () =>
    withDataFolder((folder) =>
      withSmallDisk(`${folder}/data`, async () => {
        assert(await run("mount", ["-o", "remount,ro", `${folder}/data`]));
        assertMatch(
          await startFault(folder, {}),
          /^Cannot write to "data", which is mounted read-only: .*writable/,
        );
      })
    ),
});

Deno.test({
  name: "a store that may not be written is not started on, and the fault says so",
  ignore: noSmallDisk,
  fn: () =>
    withDataFolder((folder) =>
      withSmallDisk(`${folder}/data`, async () => {
        await (await start(folder, SMALL)).kill("SIGTERM");
        assert(await run("mount", ["-o", "remount,ro", `${folder}/data`]));
        assertMatch(
          await startFault(folder),
          /at "data\/export\.kv": Cannot write to "data", which is mounted read-only: .*writable/,
        );
        assert(await run("mount", ["-o", "remount,rw", `${folder}/data`]));
        await using service = await start(folder, SMALL);
        assert(await isReady(service));
      })
    ),
});
