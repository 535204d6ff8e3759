/**
 * A script under Node that is spoken to in lines. Ends with the test.
 */

export interface NodeOptions {
  readonly folder: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What is missing to run the tests of this folder, if something is. */
export function missingTools(...tools: readonly string[]): string | undefined {
  const missing = tools.filter((tool) => !isInstalled(tool));
  return missing.length === 0 ? undefined : `${missing.join(" and ")} not installed`;
}

function isInstalled(tool: string): boolean {
  try {
    return new Deno.Command(tool, { args: ["--version"], stdout: "null" }).outputSync().success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

export class NodeProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  /** What was printed to standard error, once it has ended. */
  readonly errors: Promise<string>;

  constructor({ folder, args, env }: NodeOptions) {
    this.#child = new Deno.Command("node", {
      args: [...args],
      cwd: folder,
      env: { ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#lines = this.#child.stdout
      .pipeThrough(new TextDecoderStream()).pipeThrough(lineSplitter()).getReader();
    this.#input = this.#child.stdin.getWriter();
    this.errors = new Response(this.#child.stderr).text();
  }

  /** The next line, as JSON; throws if the process ends without one. */
  async heard(): Promise<unknown> {
    const { done, value } = await this.#lines.read();
    if (done) throw new Error(`The process has ended: ${await this.errors}`);
    return JSON.parse(value);
  }

  /** Says one line of JSON and hears the next. */
  async ask(value: unknown): Promise<unknown> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`));
    return await this.heard();
  }

  /** Ends the process, if it has not ended by itself; it may be in the middle of something. */
  async end(): Promise<void> {
    try {
      this.#child.kill();
    } catch {
      // It has ended.
    }
    await this.#input.abort();
    await this.#lines.cancel();
    await Promise.all([this.errors, this.#child.status]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }
}

function lineSplitter(): TransformStream<string, string> {
  let rest = "";
  return new TransformStream({
    transform(chunk, controller) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) controller.enqueue(line);
    },
  });
}

/** Copies the scripts of `from` to `folder`, and fetches the packages that they need. */
export async function installScripts(from: URL, folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(from)) {
    await Deno.copyFile(new URL(name, from), `${folder}/${name}`);
  }
  const quiet = [
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--loglevel=error",
    "--fetch-retries=5",
    // What was fetched once needs no network.
    "--prefer-offline",
  ];
  const { success, stderr } = await new Deno.Command("npm", {
    args: ["install", "--ignore-scripts", ...quiet],
    cwd: folder,
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
