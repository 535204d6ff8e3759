/** A filled store holds what the service itself would have left there. */
import { assertEquals } from "@std/assert";
import { connect } from "../../bench/connection.ts";
import { LEFT_ALONE, openFilling } from "../../bench/fill.ts";
import { tokenOf } from "../../bench/measure.ts";
import { payloadOf } from "../../bench/payload.ts";
import { startService } from "../../bench/service.ts";
import { decodeExport } from "../../src/ledger/stored.ts";
import { withFolder } from "../fakes/folder.ts";

const RETENTION_MS = 86_400_000;
const DEPTH = 3;

/** Two lanes: one whose only export is finished, one whose head waits with others behind it. */
async function fillByHand(folder: string): Promise<void> {
  const path = `${folder}/data/export.kv`;
  const retentionMs = () => RETENTION_MS;
  {
    await using filling = await openFilling({ path, retentionMs });
    await filling.attempt("finished");
  }
  await using filling = await openFilling({ path, retentionMs, answer: LEFT_ALONE });
  await filling.attempt("waiting");
  for (let n = 1; n < DEPTH; n++) await filling.accept("waiting");
}

/** The same by a service, its API and a destination. */
async function fillByService(folder: string): Promise<void> {
  const attempted = Promise.withResolvers<void>();
  await using destination = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      await request.text();
      if (request.url.endsWith("/in")) return new Response("ok");
      return new Response("", { status: 503, headers: { "retry-after": "1800" } });
    },
  );
  await using service = await startService({
    folder,
    env: { EXPORT_RETRY_STATUSES: "503" },
    counting: `"next":"pending"`,
    onCounted: () => attempted.resolve(),
  });
  const url = new URL(service.api);
  const submit = async (path: string, count: number) => {
    const uri = `http://127.0.0.1:${destination.addr.port}${path}`;
    const connection = await connect(url, { "x-api-key": tokenOf(path, uri) }, []);
    for (let n = 0; n < count; n++) {
      const data = payloadOf(n);
      let { id, state } = await ask(connection, { id: "", uri, data });
      while (path === "/in" && state !== "Finished") {
        ({ state } = await ask(connection, { id, uri, data }));
      }
      if (path !== "/in") await attempted.promise;
    }
    connection.close();
  };
  await submit("/in", 1);
  await submit("/left-alone", DEPTH);
}

async function ask(connection: Awaited<ReturnType<typeof connect>>, body: unknown) {
  return JSON.parse((await connection.post(JSON.stringify(body))).body);
}

/** Of each value in a store the first word of its key, and the form of what it says. */
async function formsIn(folder: string): Promise<string[]> {
  const forms: string[] = [];
  const kv = await Deno.openKv(`${folder}/data/export.kv`);
  for await (const { key: [word], value } of kv.list({ prefix: [] })) {
    if (OF_THE_PROCESS.includes(String(word))) continue;
    for (const said of sayingsOf(word, value)) {
      forms.push(`${String(word)}: ${JSON.stringify(formOf(said))}`);
    }
  }
  kv.close();
  return forms.toSorted();
}

function sayingsOf(word: Deno.KvKeyPart | undefined, value: unknown): unknown[] {
  if (!(value instanceof Uint8Array) || word === "payload") return [value];
  // Behind a record begins its payload or its answer.
  if (word === "export" || word === "decoy") return [decodeExport(value)];
  // Ledger entries lie in pages, one to a line.
  return new TextDecoder().decode(value).split("\n").map((line) => JSON.parse(line));
}

const KINDS = [
  "chain",
  "decoy",
  "export",
  "format",
  "instance",
  "lane",
  "ledger",
  "payload",
];

/** What a service writes whatever is exported. */
const OF_THE_PROCESS = ["probe", "secrets"];

/** What does not depend on chance, time or port. */
const TELLING = [
  "kind",
  "hasPlace",
  "parts",
  "state",
  "status",
  "attempt",
  "attempts",
  "outcome",
  "next",
  "schema",
];

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function formOf(value: unknown, name = ""): unknown {
  // How many depends on the length of the destination's URL.
  if (value instanceof Uint8Array) return "bytes";
  if (typeof value === "string" && UUID.test(value)) return `UUID v${value[14]}`;
  if (typeof value !== "object" || value === null) {
    return TELLING.includes(name) ? value : typeof value;
  }
  return Object.entries(value).map(([name, inner]) => [name, formOf(inner, name)]);
}

Deno.test("a filled store has the records that the service writes, in the same form", async () => {
  await withFolder(async (filled) => {
    await withFolder(async (served) => {
      await Promise.all([fillByHand(filled), fillByService(served)]);
      const [ours, theirs] = await Promise.all([filled, served].map(formsIn));
      assertEquals(ours, theirs);
      const words = new Set(ours?.map((form) => form.split(":")[0]));
      assertEquals([...words], KINDS);
    });
  });
});
