/** Makes stores as large as a benchmark needs them, and shows what is in them. */
import { DatabaseSync } from "node:sqlite";
import { shell } from "./child.ts";
import { spawnScript } from "./script.ts";

const FILL_STEP = 100_000;
const YEAR_MS = 365 * 86_400_000;

function storeIn(folder: string): string {
  return `${folder}/data/export.kv`;
}

/** Fills the store in `folder`, in a separate process; `what` are the arguments of `fill.ts`. */
export async function fill(folder: string, ...what: (string | number)[]): Promise<void> {
  await Deno.mkdir(`${folder}/data`, { recursive: true });
  const flags = [`--allow-read=${folder}`, `--allow-write=${folder}`];
  await spawnScript("fill.ts", { flags, args: [storeIn(folder), ...what.map(String)] }).done();
}

/** A folder with a store of `count` finished exports; missing ones are added. */
export async function finishedStore(folder: string, count: number): Promise<string> {
  const finished = `${folder}/finished`;
  const noted = `${finished}/count`;
  let found = Number(await Deno.readTextFile(noted).catch(() => "0"));
  if (found > count) {
    throw new Error(`Cannot use ${finished}: it has ${found} exports; name another folder`);
  }
  while (found < count) {
    const more = Math.min(FILL_STEP, count - found);
    await fill(finished, "finished", more, YEAR_MS);
    found += more;
    await Deno.writeTextFile(noted, String(found));
  }
  return finished;
}

/** Copies the store in `folder`, and waits until the copy is on disk. */
export async function copyStore(folder: string, to: string): Promise<void> {
  await removeFolder(to);
  const code = shell(`cp -r '${folder}' '${to}' && sync; echo $?`);
  if (code !== "0") throw new Error(`Cannot copy ${folder}: is there room for another?`);
}

export async function removeFolder(folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

export interface Rows {
  readonly rows: number;
  readonly bytes: number;
}

/** What a store has, by the first part of its keys, read from its file without the service. */
export function contentsOf(folder: string): ReadonlyMap<string, Rows> {
  const database = new DatabaseSync(storeIn(folder), { readOnly: true });
  const kinds = database.prepare(
    `SELECT CAST(substr(k, 2, instr(k, x'00') - 2) AS TEXT) AS kind, count(*) AS rows,
      sum(length(k) + length(v)) AS bytes FROM kv GROUP BY kind`,
  ).all();
  database.close();
  return new Map(kinds.map(({ kind, rows, bytes }) => [
    String(kind),
    { rows: Number(rows), bytes: Number(bytes) },
  ]));
}

export function bytesOf(folder: string): number {
  return Deno.statSync(storeIn(folder)).size;
}
