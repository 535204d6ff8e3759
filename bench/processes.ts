/** The processes of a benchmark: the service as shipped, and a destination for it. */
import { fileURLToPath } from "node:url";
import denoJson from "../deno.json" with { type: "json" };

const ROOT = fileURLToPath(new URL("../", import.meta.url));

export interface Bench extends AsyncDisposable {
  readonly api: string;
  readonly destination: string;
  /** From the start of the process to its readiness. */
  readonly startUpMs: number;
  /** Resident memory of the service, MiB. */
  memory(): string;
  /** Memory and open files of the service, and the size of its store, now. */
  look(): { readonly memoryMiB: number; readonly files: number; readonly storeMiB: number };
  /** Exports finished according to the service's log. */
  finished(): number;
  /** Exports finished according to the service's log, and those that arrived. */
  counts(): Promise<{ readonly submitted: number; readonly arrived: number }>;
}

/** Starts both, the service on a store in a fresh folder; disposing ends them and removes it. */
export async function startBench(env: Readonly<Record<string, string>>): Promise<Bench> {
  const folder = await Deno.makeTempDir();
  const target = spawn(["run", "--allow-net=127.0.0.1", `${ROOT}bench/destination.ts`], folder, {});
  const { port } = await target.find(({ port }) => port !== undefined);
  const begun = performance.now();
  const [, command = "", ...flags] = denoJson.tasks.start.replaceAll("'", "").split(" ");
  const service = spawn(
    [command, `--config=${ROOT}deno.json`, ...flags.slice(0, -1), `${ROOT}main.ts`],
    folder,
    { DATABOX_LOCAL_PORT: "0", EXPORT_UNSAFE_ALLOW_LOOPBACK: "1", ...env },
  );
  const listening = await service.find(({ event }) => event === "service.listening");
  const startUpMs = performance.now() - begun;
  const destination = `http://127.0.0.1:${port}/`;
  return {
    api: `http://127.0.0.1:${listening.port}/lp/export`,
    destination,
    startUpMs,
    memory: () => residentMiB(service.pid),
    look: () => ({
      memoryMiB: Number(residentMiB(service.pid)),
      files: Number(said(`ls /proc/${service.pid}/fd | wc -l`)),
      storeMiB: Number(said(`du -sk ${folder}/data | cut -f1`)) / 1_024,
    }),
    finished: () => service.count('"next":"finished"'),
    async counts() {
      const submitted = service.count('"next":"finished"');
      return { submitted, arrived: Number(await (await fetch(destination)).text()) };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([service.end(), target.end()]);
      await Deno.remove(folder, { recursive: true });
    },
  };
}

type Line = Readonly<Record<string, unknown>>;

/** A Deno process whose lines are JSON; they are read and counted, not kept. */
function spawn(args: string[], cwd: string, env: Readonly<Record<string, string>>) {
  const child = new Deno.Command(Deno.execPath(), { args, cwd, env, stdout: "piped" }).spawn();
  const wanted: { matches: (line: Line) => boolean; resolve: (line: Line) => void }[] = [];
  const counted = new Map<string, number>();
  const reading = (async () => {
    let rest = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        for (const text of ['"next":"finished"']) {
          if (line.includes(text)) counted.set(text, (counted.get(text) ?? 0) + 1);
        }
        if (wanted.length > 0) {
          const found: Line = JSON.parse(line);
          for (const { matches, resolve } of wanted) if (matches(found)) resolve(found);
        }
      }
    }
  })();
  return {
    pid: child.pid,
    find(matches: (line: Line) => boolean): Promise<Line> {
      return new Promise((resolve) => {
        const want = { matches, resolve: (line: Line) => (wanted.length = 0, resolve(line)) };
        wanted.push(want);
      });
    },
    count: (text: string) => counted.get(text) ?? 0,
    async end() {
      child.kill("SIGTERM");
      await child.status;
      await reading;
    },
  };
}

function said(command: string): string {
  const { stdout } = new Deno.Command("sh", { args: ["-c", command] }).outputSync();
  return new TextDecoder().decode(stdout).trim();
}

/** What `ps` says; the runtime lets nobody read `/proc` who does not have every permission. */
function residentMiB(pid: number): string {
  const { stdout } = new Deno.Command("ps", { args: ["-o", "rss=", "-p", `${pid}`] }).outputSync();
  return (Number(new TextDecoder().decode(stdout)) / 1_024).toFixed(0);
}
