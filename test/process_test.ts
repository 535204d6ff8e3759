/** The real thing: `main.ts` as a process, a store in a file, real sockets and real signals. */
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { exportCaveats, mintToken } from "../src/authorise/mint.ts";
import { keys } from "../src/ledger/keys.ts";
import { DestinationServer } from "./fakes/destination_server.ts";
import { defined } from "./fakes/expect.ts";
import { runTask, type ServiceProcess, startProcess } from "./fakes/service_process.ts";
import { withFolder } from "./fakes/folder.ts";
import { readTlsFixture } from "./fakes/tls_client.ts";
import { UPGRADE } from "./http/socket_client.ts";

const SECRET = "a secret of the tests";
const env = { EXPORT_SECRET: SECRET };

function token(destination: string, path = "/lp/export"): string {
  const caveats = exportCaveats({ target: "export-service", path, method: "POST", destination });
  return mintToken(SECRET, { caveats });
}

function socketToken(destination: string): string {
  const path = "/ws/export";
  const caveats = exportCaveats({ target: "export-service", path, method: "GET", destination });
  return mintToken(SECRET, { caveats });
}

/** Asks as an app does: plain fetch, one JSON body. */
async function ask(
  service: ServiceProcess,
  body: { id: string; uri: string; data: string },
  path = "/lp/export",
) {
  const response = await fetch(`http://127.0.0.1:${service.port}${path}`, {
    method: "POST",
    headers: { "x-api-key": token(body.uri, path.replace(/\?.*/, "")) },
    body: JSON.stringify(body),
  });
  return { status: response.status, ...await response.json() };
}

async function outcome(service: ServiceProcess, id: string, uri: string) {
  for (;;) {
    const receipt = await ask(service, { id, uri, data: "{}" });
    if (receipt.state === "Finished") return receipt;
  }
}

Deno.test("an app submits and learns the outcome through either endpoint", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using service = await startProcess({ folder, env });
    const uri = destination.uri("/in");
    const polled = await ask(service, { id: "", uri, data: "[1]" }, "/export");
    const waited = await ask(service, { id: "", uri, data: "[2]" });
    const { status, state, ext_response } = await outcome(service, waited.id, uri);
    assertEquals([status, state], [200, "Finished"]);
    for (const { id } of [polled, waited]) {
      assertMatch(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    }
    assertEquals(ext_response, { status: "200 OK", body: "ok" });
    const first = await ask(service, { id: polled.id, uri, data: "{}" }, "/export");
    assertEquals(first.state, "Finished");
    assertEquals(destination.arrivals.map(({ body }) => body), ["[1]", "[2]"]);
    const [arrival] = destination.arrivals;
    assertEquals(arrival?.headers.get("content-type"), "application/json");
    assertEquals(arrival?.headers.get("idempotency-key"), polled.id);
    assertEquals(arrival?.headers.get("webhook-id"), polled.id);
    assertMatch(arrival?.headers.get("user-agent") ?? "", /^databox-export-service\/\d/);
  }));

Deno.test("after kill -9 and a restart every accepted export is carried out, without anyone asking", () =>
  withFolder(async (folder) => {
    const held = Promise.withResolvers<Response>();
    let holding = true;
    await using destination = new DestinationServer(() => holding ? held.promise : new Response());
    const accepted: { id: string; uri: string; data: string }[] = [];
    {
      await using service = await startProcess({ folder, env });
      for (let n = 0; n < 12; n++) {
        const uri = destination.uri(`/${n % 3}`);
        const data = `[${n}]`;
        const { status, id } = await ask(service, { id: "", uri, data });
        assertEquals(status, 200);
        accepted.push({ id, uri, data });
      }
      // One of each lane is in flight, the others stand behind it.
      await destination.arrived(({ length }) => length === 3);
      assert(!(await service.kill("SIGKILL")).success);
    }
    holding = false;
    held.resolve(new Response());
    await using service = await startProcess({ folder, env });
    await destination.arrived(({ length }) => length === 15);
    const [listening, lapsed] = [
      await service.logged("service.listening"),
      await service.logged("delivery.lapsed"),
    ].map(({ at }) => Date.parse(String(at)));
    const ms = (lapsed ?? Infinity) - (listening ?? 0);
    assert(ms < 15_000, `${ms} ms: leases of a process that is gone are over with it`);
    for (const { id, uri } of accepted) {
      assertEquals((await outcome(service, id, uri)).ext_response.status, "200 OK");
    }
    for (const lane of ["/0", "/1", "/2"]) {
      const bodies = destination.arrivals.filter(({ path }) => path === lane);
      const [first, ...rest] = bodies.map(({ body, headers }) =>
        `${headers.get("idempotency-key")} ${body}`
      );
      const expected = accepted.filter(({ uri }) => uri.endsWith(lane))
        .map(({ id, data }) => `${id} ${data}`);
      // Only what was in flight came twice, with the same key; and order held.
      assertEquals(first, expected[0]);
      assertEquals(rest, expected);
    }
  }));

Deno.test("SIGTERM answers who waits, finishes what is in flight, and exits 0", () =>
  withFolder(async (folder) => {
    const held = Promise.withResolvers<Response>();
    await using destination = new DestinationServer(() => held.promise);
    await using service = await startProcess({ folder, env });
    const uri = destination.uri();
    const { id } = await ask(service, { id: "", uri, data: "{}" });
    await destination.arrived(({ length }) => length === 1);
    const poll = ask(service, { id, uri, data: "{}" }, "/lp/export?timeout=60");
    // Requests that were sent after the poll, each on a connection of its own, have been answered.
    for (let n = 0; n < 5; n++) await ask(service, { id, uri, data: "{}" }, "/export");
    const ended = service.kill("SIGTERM");
    await service.logged("service.stopping");
    assertEquals((await poll).state, "Processing");
    held.resolve(new Response("in time"));
    assertEquals((await ended).code, 0);
    await service.logged("service.stopped");

    await using next = await startProcess({ folder, env });
    assertEquals((await outcome(next, id, uri)).ext_response.body, "in time");
    assertEquals(destination.arrivals.length, 1);
  }));

Deno.test("a stop waits 8 s for who does not read their answer, and ends in order all the same", () =>
  withFolder(async (folder) => {
    const huge = "x".repeat(10 * 1_048_576);
    await using destination = new DestinationServer(() => new Response(huge));
    await using service = await startProcess({
      folder,
      env: { ...env, EXPORT_RESPONSE_LIMIT: "10MiB" },
    });
    const uri = destination.uri();
    const { id } = await ask(service, { id: "", uri, data: "{}" });
    await outcome(service, id, uri);
    const body = JSON.stringify({ id, uri, data: "{}" });
    const head = `x-api-key: ${token(uri)}\r\ncontent-length: ${body.length}\r\nhost: localhost`;
    using unreading = await Deno.connect({ hostname: "127.0.0.1", port: service.port });
    const request = `POST /lp/export HTTP/1.1\r\n${head}\r\n\r\n${body}`;
    await unreading.write(new TextEncoder().encode(request));
    await unreading.read(new Uint8Array(1_024));
    assertEquals((await service.kill("SIGTERM")).code, 0);
    await service.logged("service.stopped");
  }));

Deno.test("a start warns of a root key that can be guessed", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/data`);
    await Deno.writeTextFile(`${folder}/data/root.key`, "hello\n");
    await using service = await startProcess({ folder });
    assertMatch(service.lines.join("\n"), /"service\.warning","detail":"root\.key has under 16 /);
  }));

Deno.test("a second start on the same store says why not; the first is not disturbed", () =>
  withFolder(async (folder) => {
    await using service = await startProcess({ folder, env });
    const second = await runTask("start", { folder, env: { ...env, DATABOX_LOCAL_PORT: "0" } });
    assertEquals(second.code, 1);
    assertMatch(second.stderr, /another process holds/);
    const ready = await fetch(`http://127.0.0.1:${service.port}/health/ready`);
    assertEquals(await ready.json(), { status: "ready" });
  }));

Deno.test("after a stop the ledger has everything, refusals that were only counted too; what is missing is noticed", () =>
  withFolder(async (folder) => {
    const ledger = (...args: string[]) => runTask("ledger", { folder, args });
    const none = await ledger();
    assertEquals(none.code, 1);
    assertMatch(none.stderr, /no store at "data\/export\.kv"/);
    assertEquals((await ledger("--nonsense")).code, 2);
    const help = await ledger("--help");
    assertEquals([help.code, help.stderr], [0, ""]);
    assertMatch(help.stdout, /^Usage: deno task ledger /);

    const service = await startProcess({ folder, env });
    const refused = Array.from({ length: 80 }, async () => {
      const response = await fetch(`http://127.0.0.1:${service.port}/export`, { method: "POST" });
      await response.body?.cancel();
    });
    await Promise.all(refused);
    assertEquals((await service.kill("SIGTERM")).code, 0);

    const printed = await ledger();
    assertEquals(printed.code, 0);
    const entries = printed.stdout.trim().split("\n").map((line) => JSON.parse(line));
    const told = entries.map(({ kind, count }) => kind === "refusals.omitted" ? count : 1);
    assertEquals(told.reduce((sum, count) => sum + count, 0), 80);
    const verified = await ledger("--verify");
    assertEquals(verified.code, 0);
    assertMatch(verified.stdout, new RegExp(`^intact: ${entries.length} entries of `));

    const kv = await Deno.openKv(`${folder}/data/export.kv`);
    await kv.delete(keys.chain(defined((await kv.get<string>(keys.instance())).value)));
    kv.close();
    const broken = await ledger("--verify");
    assertEquals([broken.code, broken.stderr], [1, ""]);
    assertMatch(broken.stdout, /^BROKEN: .* the end of the chain is missing$/m);
    const shown = await ledger();
    assertEquals([shown.code, shown.stdout], [1, printed.stdout]);
    assertMatch(shown.stderr, /^BROKEN: .* the end of the chain is missing\n.*--verify/);
    await Deno.writeTextFile(`${folder}/data/export.kv`, "");
    const lost = await ledger("--verify");
    assertEquals([lost.code, lost.stdout], [1, ""]);
    assertMatch(lost.stderr, /^There is no ledger in the store/);
  }));

Deno.test("the ledger of a running service is shown and verified, and the service goes on", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using service = await startProcess({ folder, env });
    const uri = destination.uri("/in");
    const kinds = async () => {
      const { code, stdout, stderr } = await runTask("ledger", { folder });
      assertEquals([code, stderr], [0, ""]);
      const printed = stdout.trim().split("\n").map((line) => JSON.parse(line));
      for (const { unsafe_loopback } of printed) assertEquals(unsafe_loopback, true);
      return printed.map(({ kind }) => kind);
    };
    const exportOne = async () => {
      const { id } = await ask(service, { id: "", uri, data: "[1]" });
      assertEquals((await outcome(service, id, uri)).state, "Finished");
    };
    await exportOne();
    const entries = ["export.accepted", "attempt.started", "attempt.ended"];
    assertEquals(await kinds(), entries);
    await exportOne();
    assertEquals(await kinds(), [...entries, ...entries]);
    const { code, stdout } = await runTask("ledger", { folder, args: ["--verify"] });
    assertEquals(code, 0);
    assertMatch(stdout, /^intact: 6 entries of /);
    const left = await runTask("ledger", { folder, args: ["--left"] });
    assertEquals(left.code, 0);
    const args = ["--owner", "--destination", uri];
    const owner = (await runTask("token", { folder, args })).stdout.trim();
    for (const line of left.stdout.trim().split("\n")) {
      const { path, bytes, arrived, outcome, status, owner: whose } = JSON.parse(line);
      assertEquals([path, bytes, arrived, outcome, status], ["/in", 3, "yes", "answered", 200]);
      assertEquals(whose, owner);
    }
    assertEquals(left.stdout.trim().split("\n").length, 2);
    assertEquals((await runTask("ledger", { folder, args: ["--left", "--verify"] })).code, 2);
    assertEquals((await runTask("ledger", { folder, args: ["--left", "--open"] })).code, 2);
    const files = await Array.fromAsync(Deno.readDir(`${folder}/data`), ({ name }) => name);
    assertEquals(files.filter((name) => !name.startsWith("export.kv")), []);
  }));

Deno.test("the ledger of a running service shows what is open, and what the rest of its lane waits for", () =>
  withFolder(async (folder) => {
    const end = Promise.withResolvers<void>();
    await using destination = new DestinationServer(async () => {
      await end.promise;
      return new Response("ok");
    });
    await using service = await startProcess({ folder, env });
    const uri = destination.uri("/in");
    const ids: string[] = [];
    for (const _ of [1, 2]) ids.push((await ask(service, { id: "", uri, data: "[1]" })).id);
    const open = async () => {
      const { code, stdout, stderr } = await runTask("ledger", { folder, args: ["--open"] });
      assertEquals([code, stderr], [0, ""]);
      return stdout.trim().split("\n").filter((line) => line !== "").map((line) =>
        JSON.parse(line)
      );
    };
    assertEquals(
      (await open()).map(({ id, path, bytes, state, attempts }) => [
        ...[id, path, bytes, state, attempts],
      ]),
      [[ids[0], "/in", 3, "running", 1], [ids[1], "/in", 3, "waiting", 0]],
    );
    end.resolve();
    for (const id of ids) await outcome(service, id, uri);
    assertEquals(await open(), []);
  }));

Deno.test("a copy of the store that was cut off is gone once a service has started", () =>
  withFolder(async (folder) => {
    const copy = `${folder}/data/export.kv.copy`;
    await Deno.mkdir(copy, { recursive: true });
    await Deno.writeTextFile(`${copy}/export.kv`, "half of it");
    await using service = await startProcess({ folder, env });
    await assertRejects(() => Deno.stat(copy), Deno.errors.NotFound);
    // Whoever copies at that moment is left alone.
    assertEquals((await service.kill("SIGTERM")).code, 0);
    await Deno.writeTextFile(copy, "being written");
    const locked = await Deno.open(`${folder}/data`);
    await locked.lock(true);
    await using again = await startProcess({ folder, env });
    assert(again.port > 0);
    locked.close();
    assertEquals((await Deno.stat(copy)).isFile, true);
  }));

Deno.test("all faults of the settings are told at once, and the exit code is 2", () =>
  withFolder(async (folder) => {
    const faulty = {
      EXPORT_RETENTION: "tomorrow",
      EXPORT_BODY_LIMIT: "1GiB",
      EXPORT_ALLOW_CIDRS: "10.0.0.0/8, 169.254.0.0/16, 0.0.0.0/0",
      EXPORT_ALLOW_HOSTS: "arbiter",
    };
    const { code, stderr } = await runTask("start", { folder, env: faulty, args: ["-p", "x"] });
    assertEquals(code, 2);
    for (const name of ["EXPORT_RETENTION", "EXPORT_BODY_LIMIT", "DATABOX_LOCAL_PORT"]) {
      assert(stderr.includes(name), stderr);
    }
    assertMatch(stderr, /"169.254.0.0\/16"\n.*"0.0.0.0\/0"\n?.*/);
    assertMatch(stderr, /EXPORT_ALLOW_HOSTS must not open .*"arbiter"/);
  }));

Deno.test("a proxy that the environment names hears nothing of an export, and the destination nothing of it", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using proxy = new DestinationServer();
    const names = ["http_proxy", "https_proxy", "all_proxy"];
    const proxies = names.flatMap((name) =>
      [name, name.toUpperCase()].map((each) => [each, proxy.uri().replace("//", "//user:word@")])
    );
    const everywhere = {
      NODE_USE_ENV_PROXY: "1",
      NO_PROXY: "",
      no_proxy: "",
      // The runtime would ask after newer versions of itself, through the proxy; the image says no.
      DENO_NO_UPDATE_CHECK: "1",
    };
    await using service = await startProcess({
      folder,
      env: { ...env, ...everywhere, ...Object.fromEntries(proxies) },
    });
    const uri = destination.uri();
    const { id } = await ask(service, { id: "", uri, data: "{}" });
    assertEquals((await outcome(service, id, uri)).ext_response.body, "ok");
    assertEquals([destination.arrivals.length, proxy.arrivals.length], [1, 0]);
    const heard = destination.arrivals.flatMap(({ headers }) => [...headers.keys()]);
    assertEquals(heard.filter((name) => name.startsWith("proxy-")), []);
  }));

Deno.test("no variable of the environment turns off that a destination has to prove its name", () =>
  withFolder(async (folder) => {
    const [cert = "", key = ""] = await Promise.all(
      ["server.pem", "server.pkcs8.key"].map(readTlsFixture),
    );
    let heard = 0;
    const where = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
    await using destination = Deno.serve({ ...where, cert, key }, () => {
      heard++;
      return new Response();
    });
    await using service = await startProcess({
      folder,
      env: { ...env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
    });
    const uri = `https://127.0.0.1:${destination.addr.port}/`;
    const { id } = await ask(service, { id: "", uri, data: "{}" });
    const { error } = (await outcome(service, id, uri)).ext_response;
    assertEquals([error?.code, heard], ["certificate_invalid", 0]);
  }));

Deno.test("deno task demo tells the story to its end, with no more than its permissions", () =>
  withFolder(async (folder) => {
    const { code, stdout, stderr } = await runTask("demo", {
      folder,
      env: { DENO_NO_PROMPT: "1" },
    });
    assertEquals([code, stderr], [0, ""]);
    assertMatch(stdout, /"state":"Finished".*"thank you"[^\n]*\n6\. Finished/);
  }));

/** The addresses of this machine, which the tests themselves may not ask for. */
async function ownAddresses(): Promise<readonly string[]> {
  const script = "console.log(Deno.networkInterfaces().map(({ address }) => address).join())";
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", script] }).output();
  return new TextDecoder().decode(stdout).trim().split(",");
}

Deno.test("deno task explain exits 0, 1 or 2, and says what the service would do", () =>
  withFolder(async (folder) => {
    const explain = (args: readonly string[], env = {}) =>
      runTask("explain", { folder, args, env });
    const permitted = await explain(["https://a.example/"]);
    assertEquals([permitted.code, permitted.stderr], [0, ""]);
    const local = await explain(["--resolve", "http://localhost:9/"], {
      EXPORT_UNSAFE_ALLOW_LOOPBACK: "1",
    });
    assertEquals(local.code, 0, local.stdout + local.stderr);
    const refused = await explain(["https://169.254.169.254/"], { EXPORT_EGRESS: "lan" });
    assertEquals(refused.code, 1);
    assertMatch(refused.stdout, /address .* 169\.254\.0\.0\/16: link-local/);
    // Where this machine has an address besides loopback.
    const own = (await ownAddresses()).find((address) =>
      /^(?!127\.|169\.254\.)[\d.]+$/.test(address)
    );
    if (own !== undefined) {
      const here = await explain([`https://${own}/`], { EXPORT_EGRESS: "lan" });
      assertEquals(here.code, 1);
      assertMatch(here.stdout, /is an address of this very machine/);
    }
    for (const args of [[], ["a", "b"], ["--what", "https://a.example/"]]) {
      const { code, stderr } = await explain(args);
      assertEquals(code, 2);
      assertMatch(stderr, /^Usage: deno task explain/m);
    }
    // It reads no secret, so none can be wrong.
    const secret = await explain(["https://a.example/"], { EXPORT_METRICS_TOKEN: "too short" });
    assertEquals([secret.code, secret.stderr], [0, ""]);
    const faulty = await explain(["https://a.example/"], { EXPORT_DENY_CIDRS: "lan" });
    assertEquals(faulty.code, 2);
    assertMatch(faulty.stderr, /^EXPORT_DENY_CIDRS must /);
  }));

Deno.test("deno task token signs with a secret that is set, for the service of the name that is set", () =>
  withFolder(async (folder) => {
    const destination = "https://a.example/";
    const mint = (env: Readonly<Record<string, string>>) =>
      runTask("token", { folder, args: ["--destination", destination], env });
    const none = await mint({});
    assertEquals([none.code, none.stdout], [2, ""]);
    assertMatch(none.stderr, /no root key in "data\/root\.key" yet: run deno task start once/);
    assertEquals(await mint(env), { code: 0, stdout: `${token(destination)}\n`, stderr: "" });
    const named = await mint({ ...env, DATABOX_LOCAL_NAME: "box-export" });
    const caveats = exportCaveats({
      target: "box-export",
      path: "/lp/export",
      method: "POST",
      destination,
    });
    assertEquals(named.stdout.trim(), mintToken(SECRET, { caveats }));
  }));

Deno.test("a port that another program has is named, with what to set; a token is the arbiter's to give", () =>
  withFolder(async (folder) => {
    await using other = new DestinationServer();
    const { port } = new URL(other.uri());
    const settings = { ...env, EXPORT_KV_PATH: ":memory:", DATABOX_LOCAL_PORT: port };
    const taken = await runTask("start", { folder, env: settings });
    assertEquals(taken.code, 2);
    assertMatch(taken.stderr, new RegExp(`another program has port ${port}; .*DATABOX_LOCAL_PORT`));
    const args = ["--destination", "https://a.example/"];
    const asked = { DATABOX_ARBITER_ENDPOINT: "tcp://arbiter:4444" };
    const refused = await runTask("token", { folder, args, env: asked });
    assertEquals(refused.code, 2);
    assertMatch(refused.stderr, /asks an arbiter/);
  }));

Deno.test("a file that may not or cannot be read is named, with its setting or what the process may read", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/data`);
    await Deno.writeTextFile(`${folder}/data/no.pem`, "a key, perhaps");
    const block = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    await Deno.writeTextFile(`${folder}/data/broken.pem`, block);
    const faults: [name: string, value: string, code: number, told: RegExp][] = [
      ["EXPORT_EXTRA_CA", "data/none.pem", 2, /EXPORT_EXTRA_CA .*none\.pem/],
      ["EXPORT_EXTRA_CA", "/etc/none.pem", 2, /EXPORT_EXTRA_CA .*none\.pem.*\n.*data\//],
      ["EXPORT_EXTRA_CA", "data/no.pem", 2, /EXPORT_EXTRA_CA "data\/no\.pem" .*no PEM certificate/],
      ["EXPORT_EXTRA_CA", "data/broken.pem", 2, /EXPORT_EXTRA_CA "data\/broken\.pem" cannot/],
      ["EXPORT_KV_PATH", "elsewhere/export.kv", 1, /elsewhere.*\n.*data\//],
      ["EXPORT_SECRETS_DIR", "elsewhere", 1, /elsewhere.*\n.*\/run\/secrets/],
    ];
    for (const [name, value, code, told] of faults) {
      const settings = { EXPORT_KV_PATH: ":memory:", DATABOX_LOCAL_PORT: "0", [name]: value };
      const { stderr, ...ended } = await runTask("start", { folder, env: settings });
      assertMatch(stderr, told);
      assertEquals(ended.code, code, name);
    }
  }));

Deno.test("a newcomer starts without settings, gets a token by the task, and exports", () =>
  withFolder(async (folder) => {
    const usage = await runTask("token", { folder });
    assertEquals(usage.code, 2);
    assertMatch(usage.stderr, /^Usage: deno task token /);
    await using destination = new DestinationServer();
    await using service = await startProcess({ folder });
    const hint = await service.logged("service.standalone");
    assertMatch(String(hint.hint), /deno task token --destination/);
    const key = (await Deno.readTextFile(`${folder}/data/root.key`)).trim();
    const { mode } = await Deno.stat(`${folder}/data/root.key`);
    assertEquals(defined(mode) & 0o777, 0o600);
    const uri = destination.uri();
    const minted = await runTask("token", { folder, args: ["--destination", uri] });
    assertEquals(minted.code, 0, minted.stderr);
    const response = await fetch(`http://127.0.0.1:${service.port}/lp/export`, {
      method: "POST",
      headers: { "x-api-key": minted.stdout.trim() },
      body: JSON.stringify({ id: "", uri, data: "{}" }),
    });
    assertEquals((await response.json()).state, "Pending");
    await destination.arrived(({ length }) => length === 1);
    await service.logged("delivery.attempted");
    const printed = service.lines.join("\n");
    assert(!printed.includes(key) && !printed.includes(minted.stdout.trim()));
  }));

Deno.test("a secret from a file or the environment is used, and never printed", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/data/secrets`, { recursive: true });
    await Deno.writeTextFile(`${folder}/data/secrets/EXPORT_SECRET`, `${SECRET}\n`);
    await using destination = new DestinationServer();
    await using service = await startProcess({
      folder,
      env: { EXPORT_SECRETS_DIR: "data/secrets" },
    });
    const { state } = await ask(service, { id: "", uri: destination.uri(), data: "{}" });
    assertEquals(state, "Pending");
    await service.logged("delivery.attempted");
    assert(!service.lines.join("\n").includes(SECRET));
    const { settings } = await service.logged("service.starting");
    assert(JSON.stringify(settings).includes('"EXPORT_SECRET":"set"'));
  }));

Deno.test("with a token of the operator's the service shows metrics, and they name nobody", () =>
  withFolder(async (folder) => {
    const metricsToken = "0123456789abcdef";
    await Deno.mkdir(`${folder}/data/secrets`, { recursive: true });
    await Deno.writeTextFile(`${folder}/data/secrets/EXPORT_METRICS_TOKEN`, `${metricsToken}\n`);
    await using destination = new DestinationServer();
    await using service = await startProcess({
      folder,
      env: { ...env, EXPORT_SECRETS_DIR: "data/secrets" },
    });
    const uri = destination.uri("/a-path-of-its-own");
    const { id } = await ask(service, { id: "", uri, data: "[1,2]" });
    await outcome(service, id, uri);
    await service.logged("delivery.attempted");
    const response = await fetch(`http://127.0.0.1:${service.port}/metrics`, {
      headers: { authorization: `Bearer ${metricsToken}` },
    });
    const metrics = await response.text();
    assertEquals(response.status, 200);
    assertMatch(metrics, /^databox_export_events_total\{event="export.accepted"\} 1$/m);
    assertMatch(metrics, /^databox_export_accepted_bytes_total 5$/m);
    assertMatch(metrics, /^databox_export_duration_seconds_count\{outcome="2xx"\} 1$/m);
    assertMatch(metrics, /^databox_export_responses_total\{status="200"\} [1-9]/m);
    assertMatch(metrics, /^databox_export_open_exports 0$/m);
    assertMatch(metrics, /^process_resident_memory_bytes [1-9]\d{6}/m);
    assertMatch(metrics, /^databox_export_free_space_bytes [1-9]\d{6}/m);
    for (const name of [id, "a-path-of-its-own", "localhost", "127.0.0.1"]) {
      assert(!metrics.includes(name), name);
    }
    assert(!service.lines.join("\n").includes(metricsToken));
  }));

Deno.test("metrics tell who waits, each of its kind", () =>
  withFolder(async (folder) => {
    const answer = Promise.withResolvers<Response>();
    await using destination = new DestinationServer(() => answer.promise);
    await using service = await startProcess({
      folder,
      env: { ...env, EXPORT_METRICS_TOKEN: "0123456789abcdef" },
    });
    const uri = destination.uri();
    const { id } = await ask(service, { id: "", uri, data: "[1,2,3]" });
    await service.logged("export.accepted");
    const { state } = await ask(service, { id, uri, data: "{}" }, "/lp/export?timeout=0.5");
    assertEquals(state, "Processing");
    const socket = new WebSocket(`ws://127.0.0.1:${service.port}/ws/export`, {
      headers: { "x-api-key": socketToken(uri) },
    });
    await new Promise((resolve) => socket.onopen = resolve);
    const polls = [1, 2, 3].map(() =>
      ask(service, { id, uri, data: "{}" }, "/lp/export?timeout=60")
    );
    const wanted = [
      "databox_export_waiting_polls 3",
      "databox_export_open_sockets 1",
      "databox_export_open_exports 1",
      "databox_export_open_bytes 7",
    ];
    let metrics = "";
    for (let tries = 0; tries < 500 && !wanted.every((line) => metrics.includes(line)); tries++) {
      const response = await fetch(`http://127.0.0.1:${service.port}/metrics`, {
        headers: { authorization: "Bearer 0123456789abcdef" },
      });
      metrics = await response.text();
    }
    for (const line of wanted) assertStringIncludes(metrics, `\n${line}\n`);
    answer.resolve(new Response("ok"));
    assertEquals((await Promise.all(polls)).map(({ state }) => state), Array(3).fill("Finished"));
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
  }));

Deno.test("an owner's exports may leave in the store what the setting says", () =>
  withFolder(async (folder) => {
    const mebibyte = "x".repeat(1_048_576);
    await using destination = new DestinationServer(() => new Response(mebibyte));
    await using service = await startProcess({
      folder,
      env: { ...env, EXPORT_STORED_PER_DAY: "1MiB" },
    });
    const uri = destination.uri();
    assertEquals((await ask(service, { id: "", uri, data: "{}" }, "/export")).status, 200);
    await service.logged("delivery.attempted");
    assertEquals((await ask(service, { id: "", uri, data: "{}" }, "/export")).status, 429);
    assertEquals((await service.logged("request.limited")).code, "storage_quota_exceeded");
  }));

Deno.test("whoever takes every connection there can be does not end the service: it listens again", () =>
  withFolder(async (folder) => {
    await using destination = new DestinationServer();
    await using service = await startProcess({ folder, env, descriptors: 120 });
    const held: Deno.Conn[] = [];
    const hold = async () => {
      const { port } = service;
      for (let n = 0; n < 400; n++) held.push(await Deno.connect({ hostname: "127.0.0.1", port }));
    };
    const uri = destination.uri();
    // The connection stays, and is used for the next one.
    await ask(service, { id: "", uri, data: "{}" });
    // Where nobody listens any more, a connection is refused.
    await hold().catch(() => {});
    await service.logged("listener.failed");
    // With the last descriptor that there was.
    await service.logged("listener.recovered");
    const { id } = await ask(service, { id: "", uri, data: "{}" });
    for (const conn of held) conn.close();
    assertEquals((await outcome(service, id, uri)).state, "Finished");
    assertEquals((await service.kill("SIGTERM")).code, 0);
  }));

Deno.test("a message without an end, which the runtime joins without a bound, ends the sockets and nothing else", () =>
  withFolder(async (folder) => {
    await using service = await startProcess({ folder, env });
    const destination = "https://example.org/";
    const path = "/ws/export";
    const caveats = exportCaveats({ target: "export-service", path, method: "GET", destination });
    const headers = Object.entries({ ...UPGRADE, "x-api-key": mintToken(SECRET, { caveats }) });
    using conn = await Deno.connect({ hostname: "127.0.0.1", port: service.port });
    const send = async (bytes: Uint8Array) => {
      for (let n = 0; n < bytes.length;) n += await conn.write(bytes.subarray(n));
    };
    const head = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await send(new TextEncoder().encode(`GET ${path} HTTP/1.1\r\nhost: x\r\n${head}\r\n`));
    await conn.read(new Uint8Array(1_024));
    const piece = new Uint8Array(14 + 1_048_576);
    new DataView(piece.buffer).setBigUint64(2, 1_048_576n);
    [piece[0], piece[1]] = [0x01, 0xff]; // text, masked, of a length that takes eight bytes
    await assertRejects(async () => {
      for (let n = 0; n < 4_096; n++) {
        await send(piece);
        piece[0] = 0x00; // goes on
      }
    });
    assert(Number((await service.logged("sockets.dropped")).bytes) > 0);
    const live = await fetch(`http://127.0.0.1:${service.port}/health/live`);
    assertEquals(await live.json(), { status: "live" });
  }));

/** Growth beside polls or bodies of more than 96 MiB ends them. */
const RECEIVING = { EXPORT_RECEIVING: "32MiB", EXPORT_RECEIVING_PER_OWNER: "32MiB" };
const LITTLE = { ...RECEIVING, EXPORT_BODY_LIMIT: "1MiB" };
/** Far more than that, in writes of a MiB. */
const FLOOD_MIB = 1_024;

/** The head of a request by an app whose destination is `uri`. */
function headOf(uri: string, path: string, more: string): string {
  const lines = [`POST ${path}?timeout=60 HTTP/1.1`, "host: x", `x-api-key: ${token(uri, path)}`];
  return `${[...lines, more].join("\r\n")}\r\n\r\n`;
}

const FLOODS: readonly (readonly [what: string, event: string, piece: string])[] = [
  ["behind a poll that waits", "polls.dropped", "A"],
  ["in chunks of a byte", "bodies.dropped", "1\r\n \r\n"],
];

for (const [what, event, piece] of FLOODS) {
  Deno.test(`what comes ${what}, which the runtime reads without a bound, ends its connection and nothing else`, () =>
    withFolder(async (folder) => {
      await using destination = new DestinationServer(() => new Promise(() => {}));
      await using service = await startProcess({ folder, env: { ...env, ...LITTLE } });
      const uri = destination.uri();
      const { id } = await ask(service, { id: "", uri, data: "{}" });
      await destination.arrived((arrivals) => arrivals.length === 1);
      const body = JSON.stringify({ id, uri, data: "{}" });
      const head = event === "polls.dropped"
        ? headOf(uri, "/lp/export", `content-length: ${body.length}`) + body
        : headOf(uri, "/lp/export", "transfer-encoding: chunked");
      const flood = new TextEncoder().encode(piece.repeat(1_048_576 / piece.length));
      const send = async () => {
        using conn = await Deno.connect({ hostname: "127.0.0.1", port: service.port });
        const write = async (bytes: Uint8Array) => {
          for (let n = 0; n < bytes.length;) n += await conn.write(bytes.subarray(n));
        };
        await write(new TextEncoder().encode(head));
        for (let n = 0; n < FLOOD_MIB; n++) await write(flood);
      };
      const connections = event === "polls.dropped" ? 1 : 4;
      await Promise.all(Array.from({ length: connections }, () => assertRejects(send)));
      assert(Number((await service.logged(event)).bytes) > 96 * 1_048_576);
      const live = await fetch(`http://127.0.0.1:${service.port}/health/live`);
      assertEquals(await live.json(), { status: "live" });
    }));
}

Deno.test("whatever frames come, the runtime prints nothing of its own", () =>
  withFolder(async (folder) => {
    const service = await startProcess({ folder, env });
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: service.port });
    const settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    const unaskedPong = [0, 0, 8, 6, 1, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const pongs = Array.from({ length: 100 }, () => unaskedPong).flat();
    const preface = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    await connection.write(new Uint8Array([...preface, ...settings, ...pongs]));
    // Its answer to ours: what came before it was read.
    await connection.write(new Uint8Array([0, 0, 8, 6, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]));
    let heard: number[] = [];
    while (!heard.join().includes("8,7,6,5,4,3,2,1")) {
      const bytes = new Uint8Array(1_024);
      const count = defined(await connection.read(bytes));
      heard = [...heard, ...bytes.subarray(0, count)];
    }
    await service.kill("SIGTERM");
    const printed = (await service.printed()).trim().split("\n");
    for (const line of printed) assertEquals(typeof JSON.parse(line), "object");
  }));
