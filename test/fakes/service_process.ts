/** The service as a process, with the flags and permissions of the task that users start. */
import { fileURLToPath } from "node:url";
import denoJson from "../../deno.json" with { type: "json" };
import { defined } from "./expect.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

type Task = "start" | "token" | "explain" | "ledger" | "demo";

/** Arguments of `deno` for a task of `deno.json`, to be run in any folder. */
function argumentsOf(task: Task): string[] {
  // Quotes keep the task's shell from looking for files; nothing here does.
  const [, command = "", ...rest] = denoJson.tasks[task].replaceAll("'", "").split(" ");
  const entry = defined(rest.pop());
  return [command, `--config=${ROOT}deno.json`, ...rest, `${ROOT}${entry}`];
}

export interface StartOptions {
  /** Where the process runs; its data folder lies there. */
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  /** How many files and sockets it may have open; by default, as many as the tests. */
  readonly descriptors?: number;
}

/** The environment of the tests, without what somebody has set for a service of their own. */
function environment(): Record<string, string> {
  const all = Object.entries(Deno.env.toObject());
  return Object.fromEntries(all.filter(([name]) => !/^(DATABOX|EXPORT)_/.test(name)));
}

function spawn(task: Task, { folder, env = {}, args = [], descriptors }: StartOptions) {
  const limit = descriptors === undefined ? "" : `ulimit -n ${descriptors} && `;
  return new Deno.Command("sh", {
    args: ["-c", `${limit}exec "$0" "$@"`, Deno.execPath(), ...argumentsOf(task), ...args],
    cwd: folder,
    clearEnv: true,
    env: { ...environment(), NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs a task to its end. */
export async function runTask(task: Task, options: StartOptions) {
  const { code, stdout, stderr } = await spawn(task, options).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** A line of the log. */
export interface LogLine {
  readonly event: string;
  readonly [field: string]: unknown;
}

export class ServiceProcess implements AsyncDisposable {
  /** Everything that was printed, whole lines only. */
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #read: Promise<void>;
  readonly #errors: Promise<string>;
  #onLine = () => {};
  port = 0;
  /** What it prints is read on as long as this has resolved. */
  mayRead: Promise<void> = Promise.resolve();

  constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#read = this.#readLines();
    this.#errors = new Response(child.stderr).text();
  }

  /** The first line of an event, now or when it comes; throws if the process ends without it. */
  async logged(event: string): Promise<LogLine> {
    let ended = false;
    this.#read.then(() => {
      ended = true;
      this.#onLine();
    });
    for (;;) {
      const found = this.lines.map((line): LogLine => JSON.parse(line))
        .find((line) => line.event === event);
      if (found !== undefined) return found;
      if (ended) throw new Error(`No ${event}: ${this.lines.join("\n")}${await this.#errors}`);
      await new Promise<void>((resolve) => this.#onLine = resolve);
    }
  }

  /** Everything that was printed, on both streams; resolves at the end. */
  async printed(): Promise<string> {
    return `${this.lines.join("\n")}\n${await this.#errors}`;
  }

  /** The port it listens on, once it does. */
  async listening(): Promise<number> {
    return this.port = Number((await this.logged("service.listening")).port);
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    this.#child.kill(signal);
    return await this.ended();
  }

  async ended(): Promise<Deno.CommandStatus> {
    await Promise.all([this.#read, this.#errors]);
    return await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.ended();
  }

  async #readLines(): Promise<void> {
    let rest = "";
    for await (const chunk of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
      this.#onLine();
      await this.mayRead;
    }
  }
}

/** Starts the service on a free port, with loopback open. */
export function spawnProcess(options: StartOptions): ServiceProcess {
  const env = { DATABOX_LOCAL_PORT: "0", EXPORT_UNSAFE_ALLOW_LOOPBACK: "1", ...options.env };
  return new ServiceProcess(spawn("start", { ...options, env }));
}

/** The same, and waits until it listens. */
export async function startProcess(options: StartOptions): Promise<ServiceProcess> {
  const service = spawnProcess(options);
  await service.listening();
  return service;
}
