/** Settings in effect: each reaches the part of the running service that it is for. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import { HOST_FAILURES_MAX } from "../../src/limits.ts";
import { DestinationServer } from "../fakes/destination_server.ts";
import { withFolder } from "../fakes/folder.ts";
import { type ServiceProcess, startProcess } from "../fakes/service_process.ts";
import { UPGRADE } from "../http/socket_client.ts";

const SECRET = "a secret of the tests";

function withService(
  env: Readonly<Record<string, string>>,
  story: (service: ServiceProcess) => Promise<void>,
): Promise<void> {
  return withFolder(async (folder) => {
    const all = { EXPORT_SECRET: SECRET, EXPORT_KV_PATH: ":memory:", ...env };
    await using service = await startProcess({ folder, env: all });
    await story(service);
  });
}

interface Asked {
  readonly uri: string;
  readonly id?: string;
  readonly data?: string;
  readonly timeout?: string;
  readonly target?: string;
  /** Whether the token names its destination. */
  readonly isBound?: boolean;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks as an app does; answers the status, and what the answer says. */
async function ask({ port }: ServiceProcess, asked: Asked) {
  const { uri, id = "", data = "{}", timeout = "5", target = "export-service" } = asked;
  const place = { target, path: "/lp/export", method: "POST", destination: uri };
  const caveats = exportCaveats(place)
    .filter((caveat) => asked.isBound !== false || !caveat.startsWith("destination"));
  const token = mintToken(SECRET, { caveats });
  const response = await fetch(`http://127.0.0.1:${port}/lp/export?timeout=${timeout}`, {
    method: "POST",
    headers: { "x-api-key": token, ...asked.headers },
    body: JSON.stringify({ id, uri, data }),
  });
  return { status: response.status, ...await response.json() };
}

async function outcome(service: ServiceProcess, uri: string, id: string) {
  for (;;) {
    const receipt = await ask(service, { uri, id });
    assertEquals(receipt.status, 200);
    if (receipt.state === "Finished") return receipt.ext_response;
  }
}

Deno.test("what apps may send and hold is what the settings say", () => {
  const env = {
    DATABOX_LOCAL_NAME: "box-export",
    EXPORT_BODY_LIMIT: "100B",
    EXPORT_HEADER_LIMIT: "2KiB",
    EXPORT_OPEN: "2",
    EXPORT_REQUIRE_CAVEATS: "target,path,method",
    EXPORT_SOCKETS_PER_OWNER: "1",
  };
  return withService(env, async (service) => {
    const held = Promise.withResolvers<Response>();
    await using destination = new DestinationServer(() => held.promise);
    const uri = destination.uri();
    const target = "box-export";
    const statusOf = async (asked: Partial<Asked>) =>
      (await ask(service, { uri, target, ...asked })).status;
    assertEquals(await statusOf({ target: "export-service" }), 401);
    assertEquals(await statusOf({ headers: { a: "x".repeat(2_048) } }), 431);
    assertEquals(await statusOf({ data: JSON.stringify(["x".repeat(97)]) }), 413);
    const largest = JSON.stringify(["x".repeat(96)]);
    const statuses = [await statusOf({ data: largest }), await statusOf({}), await statusOf({})];
    assertEquals(statuses, [200, 200, 429]);
    // Another owner, since the destination is part of who that is.
    assertEquals(await statusOf({ isBound: false }), 200);
    assertEquals([await statusOf({}), await statusOf({})], [429, 429]);

    const place = { target, path: "/ws/export", method: "GET", destination: uri };
    const token = mintToken(SECRET, { caveats: exportCaveats(place) });
    const url = `//127.0.0.1:${service.port}/ws/export`;
    const socket = new WebSocket(`ws:${url}`, { headers: { "x-api-key": token } });
    await new Promise((resolve) => socket.onopen = resolve);
    using client = await Deno.connect({ hostname: "127.0.0.1", port: service.port });
    const headers = Object.entries({ host: "localhost", "x-api-key": token, ...UPGRADE });
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await client.write(new TextEncoder().encode(`GET /ws/export HTTP/1.1\r\n${lines}\r\n`));
    const answer = new Uint8Array(12);
    await client.read(answer);
    assertEquals(new TextDecoder().decode(answer), "HTTP/1.1 503");
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
    held.resolve(new Response());
    await service.logged("delivery.attempted");
    // However often somebody meets a limit, the log tells of it once.
    const limited = service.lines.filter((line) => line.includes("too_much_open"));
    assertEquals(limited.length, 1);
  });
});

Deno.test("how long an attempt, an export and its result last is what the settings say", () => {
  const env = {
    EXPORT_ATTEMPT_TIMEOUT: "200ms",
    EXPORT_GIVE_UP_AFTER: "0s",
    EXPORT_RESPONSE_LIMIT: "10B",
    EXPORT_RETENTION: "2s",
  };
  return withService(env, async (service) => {
    await using destination = new DestinationServer(({ path }) =>
      path === "/silent" ? new Promise<Response>(() => {}) : new Response("x".repeat(11))
    );
    await ask(service, { uri: destination.uri("/silent") });
    const { code, next, ms } = await service.logged("delivery.attempted");
    assertEquals([code, next], ["timed_out", "finished"]);
    assert(Number(ms) < 10_000, `${ms} ms`);

    const uri = destination.uri("/long");
    const { id } = await ask(service, { uri });
    const answer = { status: "200 OK", body: "x".repeat(10), truncated: true };
    assertEquals(await outcome(service, uri, id), answer);
    let status = 200;
    for (const end = performance.now() + 30_000; status === 200 && performance.now() < end;) {
      ({ status } = await ask(service, { uri, id }));
    }
    assertEquals(status, 404);
  });
});

Deno.test("as many lanes are worked at once as the settings say, in all and to one host", () => {
  const env = { EXPORT_PARALLEL: "2", EXPORT_PARALLEL_PER_HOST: "1" };
  return withService(env, async (service) => {
    const held = Promise.withResolvers<void>();
    const answer = async () => {
      await held.promise;
      return new Response("ok");
    };
    await using one = new DestinationServer(answer);
    await using two = new DestinationServer(answer);
    await using three = new DestinationServer(answer);
    const submitted = [];
    for (const uri of [one.uri("/a"), one.uri("/b"), two.uri(), three.uri()]) {
      const { id } = await ask(service, { uri });
      submitted.push({ uri, id });
    }
    const states = submitted.map(async (asked) =>
      (await ask(service, { ...asked, timeout: "0.5" })).state
    );
    assertEquals(await Promise.all(states), ["Processing", "Pending", "Processing", "Pending"]);
    held.resolve();
    for (const { uri, id } of submitted) {
      assertEquals((await outcome(service, uri, id)).status, "200 OK");
    }
  });
});

Deno.test("an answer with a status that is to be tried again is not the outcome", () =>
  withService({ EXPORT_RETRY_STATUSES: "429,503" }, async (service) => {
    await using destination = new DestinationServer(() => new Response("", { status: 503 }));
    await ask(service, { uri: destination.uri() });
    const { status, next } = await service.logged("delivery.attempted");
    assertEquals([status, next], [503, "pending"]);
  }));

Deno.test("hosts that cannot be reached are counted where the operator looks", () => {
  const metricsToken = "0123456789abcdef";
  return withService({ EXPORT_METRICS_TOKEN: metricsToken }, async (service) => {
    const gone = new DestinationServer();
    await gone[Symbol.asyncDispose]();
    for (let n = 0; n < HOST_FAILURES_MAX; n++) await ask(service, { uri: gone.uri(`/${n}`) });
    await service.logged("host.unreachable");
    const api = `http://127.0.0.1:${service.port}`;
    const ready = await fetch(`${api}/health/ready`);
    assertEquals(await ready.json(), { status: "ready", unreachable_hosts: 1 });
    const headers = { authorization: `Bearer ${metricsToken}` };
    const metrics = await (await fetch(`${api}/metrics`, { headers })).text();
    assertMatch(metrics, /^databox_export_unreachable_hosts 1$/m);
  });
});

/** An address of this machine by which others reach it, if it has any. */
async function outerAddress(): Promise<string | undefined> {
  const code = "console.log(JSON.stringify(Deno.networkInterfaces()))";
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", code] }).output();
  const interfaces: { readonly family: string; readonly address: string }[] = JSON.parse(
    new TextDecoder().decode(stdout),
  );
  return interfaces.find(({ family, address }) =>
    family === "IPv4" && !/^(127|169)\./.test(address)
  )
    ?.address;
}

const own = await outerAddress();

Deno.test({
  name: "nothing is sent to an address of this machine, though a setting opens it",
  ignore: own === undefined,
  fn: () =>
    withService({ EXPORT_EGRESS: "lan", EXPORT_ALLOW_CIDRS: `${own}` }, async (service) => {
      const { status, type } = await ask(service, { uri: `https://${own}/` });
      assertEquals([status, type.split(":").at(-1)], [403, "destination_refused"]);
    }),
});
