/**
 * A benchmark process that prints lines of JSON. They are examined only while a caller waits for
 * one or counts them; otherwise they are read and dropped, so that a verbose process costs little.
 */
export type Line = Readonly<Record<string, unknown>>;

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Lines that contain this text are counted. */
  readonly counting?: string;
  /** Called with each counted line. */
  readonly onCounted?: (line: Line) => void;
}

export interface Child {
  readonly pid: number;
  /** The next line that matches; fails if the process ends first. */
  find(matches: (line: Line) => boolean): Promise<Line>;
  say(line: Line): Promise<void>;
  signal(signal: Deno.Signal): void;
  counted(): number;
  /** Waits for the process to end by itself; fails if it fails. */
  done(): Promise<void>;
  /** Sends SIGTERM and waits for the end. */
  end(): Promise<void>;
}

interface Want {
  readonly matches: (line: Line) => boolean;
  readonly resolve: (line: Line) => void;
  readonly reject: (error: Error) => void;
}

export function spawn(command: string, args: readonly string[], options: ChildOptions = {}): Child {
  const { counting, onCounted = () => {}, ...more } = options;
  const process = new Deno.Command(command, {
    args: [...args],
    ...more,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  let want: Want | undefined;
  let count = 0;
  let ended = false;
  void process.status.then(() => ended = true);
  const look = (line: string) => {
    if (counting !== undefined && line.includes(counting)) {
      count++;
      onCounted(JSON.parse(line));
    }
    if (want === undefined || !line.startsWith("{")) return;
    const found: Line = JSON.parse(line);
    if (!want.matches(found)) return;
    want.resolve(found);
    want = undefined;
  };
  const reading = (async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of process.stdout) {
      if (want === undefined && counting === undefined) {
        rest = "";
        continue;
      }
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      lines.forEach(look);
    }
    want?.reject(new Error(`${command} ended before it said what was waited for`));
  })();
  return {
    pid: process.pid,
    find: (matches) =>
      new Promise((resolve, reject) => {
        want = { matches, resolve, reject };
      }),
    say: (line) => writer.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`)),
    signal: (signal) => process.kill(signal),
    counted: () => count,
    async done() {
      const { success } = await process.status;
      await reading;
      await writer.close().catch(() => {});
      if (!success) throw new Error(`Cannot go on: ${command} ${args.at(-1)} failed`);
    },
    async end() {
      if (!ended) process.kill("SIGTERM");
      await process.status;
      await reading;
      await writer.close().catch(() => {});
    },
  };
}

/** The port that a process reports once it serves. */
export async function portOf(child: Child): Promise<number> {
  return Number((await child.find(({ port }) => port !== undefined)).port);
}

/** How often a process has committed; only with `count_commits.ts` or the like preloaded. */
export async function commitsOf(child: Child): Promise<number> {
  const said = child.find(({ event }) => event === "bench.commits");
  child.signal("SIGUSR2");
  return Number((await said).commits);
}

/** The output of a shell command; Deno lets only scripts with all permissions read `/proc`. */
export function shell(command: string): string {
  const { stdout } = new Deno.Command("sh", { args: ["-c", command] }).outputSync();
  return new TextDecoder().decode(stdout).trim();
}
