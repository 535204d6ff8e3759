// deno-lint-ignore-file no-console -- figures are printed
/**
 * `deno task soak [--minutes 30] [--picture data/soak.svg]`: mixed load for a long time. Apps
 * submit to destinations that answer, are slow, refuse, are down or hang up; they poll, listen on
 * sockets, send wrong tokens, and vanish. Every ten seconds memory, open files and the store are
 * sampled; at the end the curves are drawn, and the finished exports counted.
 */
import { writePicture } from "./picture.ts";
import { parseArgs } from "node:util";
import { exportCaveats, mintToken } from "../src/authorise/mint.ts";
import { chart, type Curve } from "./chart.ts";
import { SECRET, startService } from "./service.ts";
import { stoppable } from "./stoppable.ts";

const SAMPLE_MS = 10_000;
const APPS = 8;
/** Between an app's actions: some 40 exports a second in all, so the machine is not the limit. */
const PAUSE_MS = 150;
const SETTINGS = {
  // Short, so that the run shows kept exports being removed.
  EXPORT_RETENTION: "60s",
  EXPORT_GIVE_UP_AFTER: "20s",
  EXPORT_ATTEMPT_TIMEOUT: "2s",
};

interface Sample {
  readonly seconds: number;
  readonly memoryMiB: number;
  readonly files: number;
  readonly storeMiB: number;
}

/** Destinations that misbehave, and one that does not. */
function startDestinations() {
  const serve = (handler: (request: Request) => Response | Promise<Response>) =>
    Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler);
  const read = async (request: Request) => void await request.text();
  const servers = [
    serve(async (request) => (await read(request), new Response("ok"))),
    serve(async (request) => {
      await read(request);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return new Response("late");
    }),
    serve(async (request) => (await read(request), new Response("no", { status: 500 }))),
    serve(async (request) => (await read(request), new Response("x".repeat(200_000)))),
  ];
  const hangsUp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  void (async () => {
    for await (const conn of hangsUp) conn.close();
  })();
  // They run for as long as they are used, but do not keep the process alive.
  for (const open of [...servers, hangsUp]) open.unref();
  const ports = [...servers.map(({ addr }) => addr.port), hangsUp.addr.port, 9];
  return ports.map((port) => `http://127.0.0.1:${port}/in`);
}

/** Runs one app until the time is over; returns how many exports it saw finish. */
async function app(n: number, uris: readonly string[], api: string, until: number) {
  const headersFor = (path: string, method: string, destination: string) => ({
    "x-api-key": mintToken(SECRET, {
      identifier: `app ${n}`,
      caveats: exportCaveats({ target: "export-service", path, method, destination }),
    }),
  });
  let ended = 0;
  const ask = async (uri: string, id: string, more: RequestInit = {}) => {
    const body = JSON.stringify({
      id,
      uri,
      data: JSON.stringify({ n, filling: "x".repeat(1_000) }),
    });
    const headers = headersFor("/lp/export", "POST", uri);
    const response = await fetch(`${api}?timeout=2`, { method: "POST", headers, body, ...more });
    return await response.json();
  };
  const viaPolls = async (uri: string) => {
    let { id, state } = await ask(uri, "");
    while (state !== "Finished" && performance.now() < until + 40_000) {
      ({ state } = await ask(uri, id));
    }
    if (state === "Finished") ended++;
  };
  const viaSocket = (uri: string) =>
    new Promise<void>((resolve) => {
      const url = api.replace("http:", "ws:").replace("/lp/", "/ws/");
      const socket = new WebSocket(url, { headers: headersFor("/ws/export", "GET", uri) });
      socket.onopen = () => socket.send(JSON.stringify({ id: "", uri, data: "{}" }));
      socket.onmessage = ({ data }) => {
        if (JSON.parse(data).state !== "Finished") return;
        ended++;
        socket.close();
      };
      socket.onerror = socket.onclose = () => resolve();
    });
  const vanish = async (uri: string) => {
    await ask(uri, "", { signal: AbortSignal.timeout(1) }).catch(() => {});
  };
  const wrong = async () => {
    const headers = { "x-api-key": "wrong" };
    await (await fetch(api, { method: "POST", headers, body: "{}" })).body?.cancel();
  };
  const running = new Set<Promise<void>>();
  for (let turn = n; performance.now() < until; turn++) {
    const uri = uris[turn % uris.length] ?? "";
    const doing = [viaPolls, viaPolls, viaSocket, vanish, wrong][turn % 5] ?? viaPolls;
    const one = doing(uri).catch(() => {}).finally(() => running.delete(one));
    running.add(one);
    if (running.size > 50) await Promise.race(running);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await Promise.all(running);
  return ended;
}

function curvesOf(samples: readonly Sample[]): Curve[] {
  const points = (of: (sample: Sample) => number) =>
    samples.map((sample) => [sample.seconds / 60, of(sample)] as const);
  return [
    { name: "resident memory, MiB", points: points(({ memoryMiB }) => memoryMiB) },
    { name: "open files and sockets", points: points(({ files }) => files) },
    { name: "store, MiB", points: points(({ storeMiB }) => storeMiB) },
  ];
}

/** Returns whether it came to its end; what it starts is left to `stack`. */
async function soak(
  { minutes, picture }: { readonly minutes: string; readonly picture: string },
  stack: AsyncDisposableStack,
): Promise<boolean> {
  const service = stack.use(await startService({ env: SETTINGS, counting: `"next":"finished"` }));
  const uris = startDestinations();
  const begun = performance.now();
  const until = begun + Number(minutes) * 60_000;
  const samples: Sample[] = [];
  const sample = () => {
    const seconds = Math.round((performance.now() - begun) / 1_000);
    const look = service.look();
    samples.push({ seconds, ...look });
    const { memoryMiB, files, storeMiB } = look;
    console.log(`${seconds} s  ${memoryMiB} MiB  ${files} files  store ${storeMiB} MiB`);
  };
  const sampling = setInterval(sample, SAMPLE_MS);
  const apps = Array.from({ length: APPS }, (_, n) => app(n, uris, service.api, until));
  const ended = (await Promise.all(apps)).reduce((sum, each) => sum + each, 0);
  clearInterval(sampling);
  sample();
  await writePicture(
    picture,
    chart("The service under mixed load", "minutes", curvesOf(samples)),
  );
  console.log(`${ended} exports seen to their end, ${service.counted()} finished`);
  return true;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "30" },
      picture: { type: "string", default: "data/soak.svg" },
    },
  });
  await stoppable((stack) => soak(values, stack));
  // If it was stopped, the apps would go on until their time is over.
  Deno.exit();
}
