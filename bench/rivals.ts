/** The rivals of a comparison: how each is started, and what it needs. */
import { readTlsFixture } from "../test/fakes/tls_client.ts";
import { type Child, commitsOf, portOf, shell, spawn } from "./child.ts";
import type { Measured } from "./measure.ts";
import { startRedis } from "./redis.ts";
import { LOOPBACK_ONLY, spawnScript } from "./script.ts";
import { ROOT, type Service, startService } from "./service.ts";

export interface Rival extends Measured, AsyncDisposable {
  /** What it has committed so far; only if it was started with `counted`. */
  commits?(): Promise<number>;
}

export interface RivalKind {
  readonly name: string;
  /** The most clients with which it is measured. */
  readonly clientsMax: number;
  /** It has a lane for each token, so that lanes can be measured. */
  readonly hasLanes: boolean;
  /** What counts as a commit for it. */
  readonly commit: "commits" | "write commands" | "none";
  /** Why it cannot be measured here, and what would help. */
  missing(): string | undefined;
  /** @param counted whether commits are to be counted */
  start(counted: boolean): Promise<Rival>;
}

export interface Started {
  readonly kind: RivalKind;
  readonly rival: Rival;
}

const COUNTER = `${ROOT}bench/count_commits.ts`;
const FOLDER = `${ROOT}bench/rivals`;

export const OURS = "ours";

/** @param others checkouts of this project, to be compared with this one */
export function rivalKinds(others: readonly string[]): RivalKind[] {
  const always = { missing: () => undefined, clientsMax: Infinity, hasLanes: false };
  return [
    { ...always, name: OURS, hasLanes: true, commit: "commits", start: ourselves() },
    ...others.map((root) => ({
      ...always,
      name: `ours (${root})`,
      hasLanes: true,
      commit: "commits" as const,
      start: ourselves(root),
    })),
    { ...always, name: "ours TLS", clientsMax: 64, commit: "commits", start: withTls },
    { ...always, name: "limit", commit: "none", start: startLimit },
    ...(["fetch", "http"] as const).map((client) => ({
      ...always,
      name: client === "fetch" ? "toy" : "toy http",
      // With `fetch`, the figures would say more about `fetch` than about lanes.
      hasLanes: client === "http",
      commit: "none" as const,
      missing: nodeMissing,
      start: () => onNode("toy.js", [client]),
    })),
    ...(["fetch", "http"] as const).map((client) => ({
      ...always,
      name: client === "fetch" ? "bullmq" : "bullmq http",
      commit: "write commands" as const,
      missing: () => nodeMissing() ?? redisMissing(),
      start: () => withRedis(client),
    })),
    {
      ...always,
      name: "naive kv",
      commit: "commits",
      start: (counted) =>
        onDeno("naive_kv.ts", [
          ...(counted ? [`--preload=${COUNTER}`] : []),
          "--allow-read=.",
          "--allow-write=.",
        ]),
    },
  ];
}

function has(command: string): boolean {
  return shell(`command -v ${command}`) !== "";
}

function nodeMissing(): string | undefined {
  return has("npm") ? undefined : "there is no Node with npm: apt-get install nodejs npm";
}

function redisMissing(): string | undefined {
  return has("redis-server") ? undefined : "there is no Redis: apt-get install redis-server";
}

/** Installs what the rivals on Node need, unless it is installed already. */
function installPackages(): void {
  const asLocked = "cmp -s package-lock.json node_modules/of-lock.json";
  const install = "npm ci --ignore-scripts --no-audit --no-fund >&2";
  const note = "cp package-lock.json node_modules/of-lock.json";
  const code = shell(`cd '${FOLDER}' && { ${asLocked} || { ${install} && ${note}; }; }; echo $?`);
  if (code !== "0") throw new Error(`Cannot install the packages of ${FOLDER}: npm failed`);
}

function ourselves(root?: string) {
  return async (counted: boolean): Promise<Rival> => {
    const elsewhere = root === undefined ? {} : { root };
    return rivalOf(await startService({ ...elsewhere, ...preloading(counted) }));
  };
}

async function withTls(counted: boolean): Promise<Rival> {
  const service = await startService({ tls: true, ...preloading(counted) });
  return rivalOf(service, [await readTlsFixture("ca.pem")]);
}

function preloading(counted: boolean) {
  return counted ? { preload: COUNTER } : {};
}

export function rivalOf(service: Service, caCerts: readonly string[] = []): Rival {
  return {
    api: service.api,
    pids: [service.pid],
    caCerts,
    commits: () => service.commits(),
    [Symbol.asyncDispose]: () => service[Symbol.asyncDispose](),
  };
}

/** The endpoint that forwards and keeps nothing. */
export function startLimit(): Promise<Rival> {
  return onDeno("limit.ts", []);
}

async function onDeno(file: string, flags: readonly string[]): Promise<Rival> {
  const cwd = await Deno.makeTempDir();
  const child = spawnScript(`rivals/${file}`, { flags: [LOOPBACK_ONLY, ...flags], cwd });
  return {
    ...await served(child),
    commits: () => commitsOf(child),
    async [Symbol.asyncDispose]() {
      await child.end();
      await Deno.remove(cwd, { recursive: true });
    },
  };
}

async function onNode(file: string, args: readonly string[]): Promise<Rival> {
  installPackages();
  const child = spawn("node", [`${FOLDER}/${file}`, ...args]);
  return { ...await served(child), [Symbol.asyncDispose]: () => child.end() };
}

async function withRedis(client: string): Promise<Rival> {
  const redis = await startRedis();
  const rival = await onNode("bullmq.js", [client, String(redis.port)]);
  return {
    ...rival,
    pids: [...rival.pids, redis.pid],
    commits: () => Promise.resolve(redis.writeCommands()),
    async [Symbol.asyncDispose]() {
      await rival[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

async function served(child: Child) {
  const port = await portOf(child);
  return { api: `http://127.0.0.1:${port}/lp/export`, pids: [child.pid], caCerts: [] };
}
