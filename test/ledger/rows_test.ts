/**
 * Rows of the store's file. SQLite reads a long one as a whole whenever it looks for a key near it, so
 * what is written most must fit into a page of the file.
 */
import { assert, assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { answered, openTestService } from "../fakes/test_service.ts";
import { withFolder } from "../fakes/folder.ts";

/** Pages of rows that do not fit into one, and of those that do. */
function pagesIn(path: string) {
  const database = new DatabaseSync(path, { readOnly: true });
  const types = database.prepare(
    "SELECT pagetype AS type, count(*) AS pages FROM dbstat WHERE name = 'kv' GROUP BY pagetype",
  ).all();
  database.close();
  const pages = (type: string) => Number(types.find((row) => row.type === type)?.pages ?? 0);
  return { overflow: pages("overflow"), leaf: pages("leaf") };
}

async function pagesAfter(folder: string, sizes: readonly number[]) {
  const path = `${folder}/export.kv`;
  const kv = await Deno.openKv(path);
  {
    await using service = await openTestService({
      kv,
      destination: ({ uri, body }) =>
        uri.includes("down")
          ? { kind: "failed", code: "connection_refused" }
          : answered("x".repeat(body.byteLength)),
    });
    for (const bytes of sizes) {
      const data = JSON.stringify(["x".repeat(bytes - 4)]);
      for (const host of ["up", "down"]) {
        await service.submit(data, { uri: `https://${host}.example/${"path/".repeat(20)}` });
      }
    }
    await service.worker.idle();
  }
  kv.close();
  return pagesIn(path);
}

Deno.test("no row of a common export is longer than a page holds, waiting or finished", () =>
  withFolder(async (folder) => {
    const { overflow, leaf } = await pagesAfter(folder, [4, 300, 400, 1_024, 2_048, 3_800]);
    assertEquals(overflow, 0);
    assert(leaf > 5, "there are rows");
  }));

Deno.test("a large payload lies in few rows, each as long as KV permits", () =>
  withFolder(async (folder) => {
    const { overflow } = await pagesAfter(folder, [200_000]);
    assert(overflow > 2 * 200_000 / 4_096, `${overflow} pages`);
  }));
