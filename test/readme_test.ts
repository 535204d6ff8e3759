/** The client that README shows, as it stands there. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { exportCaveats, mintToken } from "../src/authorise/mint.ts";
import { STOP_GRACE_MS, STOP_TIMEOUT_MS } from "../src/limits.ts";
import { DestinationServer } from "./fakes/destination_server.ts";
import { defined } from "./fakes/expect.ts";
import { withFolder } from "./fakes/folder.ts";
import { startProcess } from "./fakes/service_process.ts";

const SECRET = "a secret of the tests";

type ExportData = (service: string, token: string, uri: string, data: unknown) => Promise<unknown>;

async function exportDataOfReadme(): Promise<ExportData> {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const blocks = [...readme.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, code = ""]) => code);
  const code = defined(blocks.find((block) => block.includes("async function exportData(")));
  const { exportData } = await import(
    `data:text/javascript,${encodeURIComponent(`${code}export { exportData };`)}`
  );
  return exportData;
}

function token(destination: string): string {
  const [target, path, method] = ["export-service", "/lp/export", "POST"];
  return mintToken(SECRET, { caveats: exportCaveats({ target, path, method, destination }) });
}

Deno.test("README's client exports once and learns the outcome, or what was wrong", () =>
  withFolder(async (folder) => {
    const exportData = await exportDataOfReadme();
    await using destination = new DestinationServer();
    await using service = await startProcess({ folder, env: { EXPORT_SECRET: SECRET } });
    const uri = destination.uri("/in");
    const base = `http://127.0.0.1:${service.port}`;
    const outcome = await exportData(base, token(uri), uri, { steps: 8_211 });
    assertEquals(outcome, { status: "200 OK", body: "ok" });
    assertEquals(destination.arrivals.map(({ body }) => body), [`{"steps":8211}`]);
    const other = destination.uri("/elsewhere");
    await assertRejects(
      () => exportData(base, token(uri), other, {}),
      Error,
      "Send a token for this path, method, destination and size",
    );
  }));

Deno.test("README's client tries again where it is told to, with the same key", async () => {
  const exportData = await exportDataOfReadme();
  const asked: { readonly id: string; readonly data: string; readonly key: string | null }[] = [];
  const answers = [
    // As of a connection that breaks.
    new Response('{"id":', { headers: { "retry-after": "0" } }),
    new Response("{}", { status: 503, headers: { "retry-after": "0" } }),
    new Response("{}", { status: 429, headers: { "retry-after": "0" } }),
    new Response("{}", { status: 408, headers: { "retry-after": "0" } }),
    new Response("{}", { status: 500, headers: { "retry-after": "0" } }),
    Response.json({ id: "1", state: "Pending", ext_response: {} }),
    Response.json({ id: "1", state: "Processing", ext_response: {} }),
    Response.json({ id: "1", state: "Finished", ext_response: { status: "204 No Content" } }),
  ];
  await using server = Deno.serve({ port: 0, onListen: () => {} }, async (request) => {
    const { id, data } = await request.json();
    asked.push({ id, data, key: request.headers.get("idempotency-key") });
    return defined(answers.shift());
  });
  const outcome = await exportData(`http://127.0.0.1:${server.addr.port}`, "token", "uri", []);
  assertEquals(outcome, { status: "204 No Content" });
  const submissions = Array.from({ length: 6 }, () => ["", "[]"]);
  assertEquals(asked.map(({ id, data }) => [id, data]), [...submissions, ["1", "{}"], ["1", "{}"]]);
  assertEquals(new Set(asked.map(({ key }) => key)).size, 1);
});

/** Codes of `root_key.failed` that come of what answers, if that is no arbiter of its protocol. */
const STRANGE = [
  ...["answer_malformed", "answer_too_large", "bad_request", "box_invalid", "command_malformed"],
  ...["command_unexpected", "content_format_unsupported", "frame_invalid", "frame_too_large"],
  ...["greeting_invalid", "mechanism_unsupported", "metadata_malformed", "nonce_repeated"],
  ...["not_acceptable", "refusal_unknown", "refused_by_peer", "reply_malformed"],
  ...["request_too_long", "secret_missing", "socket_type_wrong", "status_unexpected"],
  ...["version_unsupported"],
];

Deno.test("README says of every failure to get the arbiter's secret what it means", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(`../${path}`, import.meta.url));
  const [, table = ""] =
    /^\| `code` +\|[^]*?\n\|[^]*?\n([^]*?)\n\n/m.exec(await read("README.md")) ?? [];
  const told = table.split("\n").flatMap((row) =>
    [...defined(row.split("|")[1]).matchAll(/`(\w+)`/g)].map(([, code]) => code)
  );
  const lists = [
    /type ArbiterFault =\n([^]*?);/.exec(await read("src/arbiter/fetched_secret.ts")),
    /type ZestFault =\n([^]*?);/.exec(await read("src/arbiter/zest.ts")),
    /const REFUSALS = ([^]*?);/.exec(await read("src/arbiter/zest.ts")),
    /type ZmtpErrorCode =\n([^]*?);/.exec(await read("src/zmtp/zmtp_error.ts")),
    /readonly code: ArbiterFault([^]*?);/.exec(await read("src/arbiter/arbiter_secrets.ts")),
  ];
  const codes = lists.flatMap((list) => [...defined(list?.[1]).matchAll(/"(\w+)"/g)])
    .map(([, code]) => code);
  assertEquals([...told, ...STRANGE].toSorted(), codes.toSorted());
});

Deno.test("README lists the reasons that a refusal can have in the log", async () => {
  const read = (path: string) => Deno.readTextFile(new URL(`../${path}`, import.meta.url));
  const readme = await read("README.md");
  const [, listed = ""] = /^The `reason` of a refusal is([^]*?)\n\n/m.exec(readme) ?? [];
  const named = [...listed.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  const types = [
    /RefusalReason =\n([^]*?);/.exec(await read("src/authorise/authorise.ts")),
    /TokenFault =\n([^]*?);/.exec(await read("src/authorise/macaroon.ts")),
  ];
  const reasons = types.flatMap((type) => [...defined(type?.[1]).matchAll(/"(\w+)"/g)])
    .map(([, name]) => name);
  assertEquals(named.toSorted(), [...reasons, "destination_"].toSorted());
});

Deno.test("a stop takes no longer than README and compose.yaml say", async () => {
  const [readme, compose] = await Promise.all(
    ["README.md", "compose.yaml"].map((name) =>
      Deno.readTextFile(new URL(`../${name}`, import.meta.url))
    ),
  );
  const seconds = (text: string | undefined, pattern: RegExp) =>
    Number(defined(pattern.exec(defined(text))?.[1]));
  assertEquals(seconds(readme, /have (\d+) s to finish/) * 1_000, STOP_GRACE_MS);
  const longest = seconds(readme, /`SIGTERM` stops it within (\d+) s/);
  assert(STOP_GRACE_MS < STOP_TIMEOUT_MS && STOP_TIMEOUT_MS < longest * 1_000);
  assert(longest < seconds(compose, /stop_grace_period: (\d+)s/));
});
