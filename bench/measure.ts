/** Measures one rival under one load, and checks that every export arrived exactly once. */
import { exportCaveats, mintToken } from "../src/authorise/mint.ts";
import type { Child } from "./child.ts";
import type { Load, Told } from "./load.ts";
import { PAYLOAD_BYTES } from "./payload.ts";
import { spawnScript, startServer } from "./script.ts";
import { SECRET } from "./service.ts";
import { type Measurement, quantilesOf } from "./statistics.ts";
import { usageOf } from "./usage.ts";

/** How long the apps may go on after their time is over. */
const PATIENCE_MS = 90_000;

/** What can be measured. */
export interface Measured {
  readonly api: string;
  /** Processes whose processor time and memory count. */
  readonly pids: readonly number[];
  readonly caCerts: readonly string[];
}

export interface Job {
  readonly clients: number;
  /** How many owners the clients belong to; by default each is its own. */
  readonly lanes?: number;
  readonly ms: number;
  /** How long the destination takes to answer. */
  readonly answersAfterMs?: number;
  /** Size of an export's data; 1,024 by default. */
  readonly bytes?: number;
}

export type Figures = Omit<Measurement, "rival" | "clients" | "round"> & Astray;

export interface Astray {
  readonly exports: number;
  /** How many of them never arrived at the destination, and how many arrived more than once. */
  readonly missing: number;
  readonly repeated: number;
}

/** The apps and the destination: two processes beside the one that is measured. */
export interface Surroundings extends AsyncDisposable {
  readonly pids: readonly number[];
  measure(rival: Measured, job: Job): Promise<Figures>;
  /** Requests per second of a serial loop straight to the destination. */
  serialRate(job: Omit<Job, "clients">): Promise<number>;
  /** How many of all exports so far did not arrive exactly once. */
  astray(): Promise<Astray>;
}

export async function startSurroundings(): Promise<Surroundings> {
  const apps = spawnScript("load.ts");
  const { child: destination, port } = await startServer("destination.ts");
  const uriFor = (ms = 0) => `http://127.0.0.1:${port}/${ms === 0 ? "" : `?ms=${ms}`}`;
  let sent = 0;

  const tell = async (load: Omit<Load, "firstNumber">): Promise<Told> => {
    const told = await askApps(apps, { ...load, firstNumber: sent });
    sent += told.finished.length;
    return told;
  };

  return {
    pids: [apps.pid, destination.pid],
    async measure(rival, { clients, lanes = clients, ms, answersAfterMs, bytes = PAYLOAD_BYTES }) {
      const uri = uriFor(answersAfterMs);
      const owners = Array.from({ length: lanes }, (_, n) => tokenOf(`client ${n}`, uri));
      const tokens = Array.from({ length: clients }, (_, n) => owners[n % lanes] ?? "");
      const before = usageOf(rival.pids);
      const { api, caCerts } = rival;
      const told = await tell({ api, uri, tokens, caCerts, ms, bytes });
      const cpuSeconds = usageOf(rival.pids).cpuSeconds - before.cpuSeconds;
      const exports = told.finished.length;
      return {
        perSecond: exports / told.ms * 1_000,
        accepted: quantilesOf(told.accepted),
        finished: quantilesOf(told.finished),
        cpuSecondsPer1000: cpuSeconds / exports * 1_000,
        ...await countAstray(uriFor(), sent - exports, sent),
      };
    },
    async serialRate({ ms, answersAfterMs, bytes = PAYLOAD_BYTES }) {
      const told = await tell({
        api: "",
        uri: uriFor(answersAfterMs),
        tokens: [],
        caCerts: [],
        ms,
        bytes,
      });
      return told.finished.length / told.ms * 1_000;
    },
    astray: () => countAstray(uriFor(), 0, sent),
    async [Symbol.asyncDispose]() {
      await Promise.all([apps.end(), destination.end()]);
    },
  };
}

async function askApps(apps: Child, load: Load): Promise<Told> {
  const answer = apps.find(({ finished }) => finished !== undefined);
  await apps.say({ ...load });
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`Cannot measure ${load.api}: it hangs`)),
    load.ms + PATIENCE_MS,
  );
  try {
    const { ms, accepted, finished } = await Promise.race([answer, late.promise]);
    if (!isDurations(accepted) || !isDurations(finished)) throw new TypeError("No durations came");
    return { ms: Number(ms), accepted, finished };
  } finally {
    clearTimeout(timer);
  }
}

function isDurations(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((one) => typeof one === "number");
}

async function countAstray(uri: string, from: number, to: number): Promise<Astray> {
  const { missing, repeated } = await (await fetch(`${uri}?from=${from}&to=${to}`)).json();
  return { exports: to - from, missing: Number(missing), repeated: Number(repeated) };
}

/** A token for long polls of exports to one destination. */
export function tokenOf(identifier: string, destination: string): string {
  const route = { target: "export-service", path: "/lp/export", method: "POST" };
  const caveats = exportCaveats({ ...route, destination });
  return mintToken(SECRET, { identifier, caveats });
}
