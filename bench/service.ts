/** The service as shipped, as a process on a store in a folder. */
import { fileURLToPath } from "node:url";
import { readTlsFixture } from "../test/fakes/tls_client.ts";
import { type ChildOptions, commitsOf, shell, spawn } from "./child.ts";

export const ROOT = fileURLToPath(new URL("../", import.meta.url));
export const SECRET = "a secret of the benchmark";

export interface ServiceOptions extends Omit<ChildOptions, "cwd"> {
  /** A checkout of this project; by default the one that this file is in. */
  readonly root?: string;
  readonly tls?: boolean;
  /** A module to run in its process, before its own. */
  readonly preload?: string;
  /** Has the store in its `data/`, and is kept; by default a temporary one, removed at the end. */
  readonly folder?: string;
}

export interface Service extends AsyncDisposable {
  readonly api: string;
  readonly pid: number;
  /** From the start of the process to its readiness. */
  readonly startUpMs: number;
  /** Memory and open files of the service, and the size of its store, now. */
  look(): { readonly memoryMiB: number; readonly files: number; readonly storeMiB: number };
  /** Lines of its log that contained the text to count. */
  counted(): number;
  /** How many commits it made to a store; only with `count_commits.ts` preloaded. */
  commits(): Promise<number>;
}

/** Starts it with the flags of its own `start` task; disposing ends it. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  const { env = {}, root = ROOT, tls = false, preload, folder: kept, ...listening } = options;
  const folder = kept ?? await Deno.makeTempDir();
  const secrets = tls ? await writeCertificate(folder) : {};
  const { tasks } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  const [, run = "", ...flags] = String(tasks.start).replaceAll("'", "").split(" ");
  const begun = performance.now();
  const child = spawn(
    Deno.execPath(),
    [
      run,
      `--config=${root}/deno.json`,
      ...(preload === undefined ? [] : [`--preload=${preload}`]),
      ...flags.slice(0, -1),
      `${root}/main.ts`,
    ],
    {
      cwd: folder,
      env: {
        EXPORT_SECRET: SECRET,
        DATABOX_LOCAL_PORT: "0",
        EXPORT_UNSAFE_ALLOW_LOOPBACK: "1",
        ...secrets,
        ...env,
      },
      ...listening,
    },
  );
  const { port } = await child.find(({ event }) => event === "service.listening");
  return {
    api: `${tls ? "https" : "http"}://127.0.0.1:${port}/lp/export`,
    pid: child.pid,
    startUpMs: performance.now() - begun,
    look: () => ({
      memoryMiB: Math.round(Number(shell(`ps -o rss= -p ${child.pid}`)) / 1_024),
      files: Number(shell(`ls /proc/${child.pid}/fd | wc -l`)),
      storeMiB: Number(shell(`du -sk ${folder}/data | cut -f1`)) / 1_024,
    }),
    counted: child.counted,
    commits: () => commitsOf(child),
    async [Symbol.asyncDispose]() {
      await child.end();
      if (kept === undefined) await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Puts the certificate where a container manager does: in one file that the service may read. */
async function writeCertificate(folder: string): Promise<Record<string, string>> {
  await Deno.mkdir(`${folder}/data/secrets`, { recursive: true });
  const pem = await Promise.all(["server.pem", "server.pkcs8.key"].map(readTlsFixture));
  await Deno.writeTextFile(`${folder}/data/secrets/DATABOX.pem`, pem.join(""));
  return { EXPORT_SECRETS_DIR: "data/secrets" };
}
