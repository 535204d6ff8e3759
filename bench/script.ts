/** A benchmark script as a process; `flags` replace its only permission, to reach this machine. */
import { type Child, type ChildOptions, portOf, spawn } from "./child.ts";
import { ROOT } from "./service.ts";

export const LOOPBACK_ONLY = "--allow-net=127.0.0.1";

export interface ScriptOptions extends ChildOptions {
  readonly flags?: readonly string[];
  readonly args?: readonly string[];
}

export function spawnScript(script: string, options: ScriptOptions = {}): Child {
  const { flags = [LOOPBACK_ONLY], args = [], ...more } = options;
  const run = ["run", `--config=${ROOT}deno.json`, ...flags, `${ROOT}bench/${script}`];
  return spawn(Deno.execPath(), [...run, ...args], more);
}

/** A script that serves; it prints its port in its first line. */
export async function startServer(script: string, options: ScriptOptions = {}) {
  const child = spawnScript(script, options);
  return { child, port: await portOf(child) };
}
