/** A private Redis on a free port, durable as usual: an append-only file, synced each second. */
import { shell, spawn } from "./child.ts";

export interface Redis extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
  /** Write commands so far, including those within scripts. */
  writeCommands(): number;
}

const READY_MS = 10_000;

export async function startRedis(): Promise<Redis> {
  const folder = await Deno.makeTempDir();
  const port = freePort();
  const settings = {
    bind: "127.0.0.1",
    port: String(port),
    dir: folder,
    appendonly: "yes",
    appendfsync: "everysec",
    save: "",
    "maxmemory-policy": "noeviction",
    loglevel: "warning",
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn("redis-server", flags);
  const ask = (question: string) => shell(`redis-cli -p ${port} ${question}`);
  const begun = performance.now();
  while (ask("ping 2>&1") !== "PONG") {
    if (performance.now() - begun > READY_MS) throw new Error("Cannot reach Redis: no PONG");
  }
  const writing = new Set(ask("command list filterby aclcat write").split("\n"));
  return {
    pid: child.pid,
    port,
    writeCommands: () => callsIn(ask("info commandstats"), writing),
    async [Symbol.asyncDispose]() {
      await child.end();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Calls of these commands according to `INFO commandstats`. */
export function callsIn(stats: string, commands: ReadonlySet<string>): number {
  const lines = stats.matchAll(/^cmdstat_([^|:]+)[^:]*:calls=(\d+)/gm);
  return [...lines].reduce((sum, [, name = "", calls]) => {
    return commands.has(name) ? sum + Number(calls) : sum;
  }, 0);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
