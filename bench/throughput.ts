// deno-lint-ignore-file no-console -- figures are printed
/**
 * `deno task bench`: exports per second, end to end. Closed loop: each client submits 1 KB to a
 * destination on this machine, waits for the outcome by long polls, and starts again. Service,
 * destination and clients are three processes; the store is a file. Every export is checked to
 * have arrived. Figures of a noisy machine: compare them within one run only.
 */
import { exportCaveats, mintToken } from "../src/authorise/mint.ts";
import { startBench } from "./processes.ts";

const SECRET = "a secret of the benchmark";
const DATA = JSON.stringify({ filling: "x".repeat(1_000) });
const CLIENTS = [1, 16, 64];
const ROUNDS = 5;
const ROUND_MS = 3_000;

interface Round {
  readonly perSecond: number;
  /** Milliseconds from submission to outcome. */
  readonly p50: number;
  readonly p99: number;
}

function tokenOf(client: number, destination: string): string {
  const caveats = exportCaveats({
    target: "export-service",
    path: "/lp/export",
    method: "POST",
    destination,
  });
  return mintToken(SECRET, { identifier: `client ${client}`, caveats });
}

/** One export from submission to outcome; answers its duration in milliseconds. */
async function exportOnce(api: string, uri: string, token: string): Promise<number> {
  const begun = performance.now();
  const ask = async (id: string) => {
    const response = await fetch(api, {
      method: "POST",
      headers: { "x-api-key": token },
      body: JSON.stringify({ id, uri, data: DATA }),
    });
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    return await response.json();
  };
  let { id, state } = await ask("");
  while (state !== "Finished") ({ state } = await ask(id));
  return performance.now() - begun;
}

async function measure(api: string, uri: string, clients: number): Promise<Round> {
  const durations: number[] = [];
  const begun = performance.now();
  const client = async (n: number) => {
    const token = tokenOf(n, uri);
    while (performance.now() - begun < ROUND_MS) durations.push(await exportOnce(api, uri, token));
  };
  await Promise.all(Array.from({ length: clients }, (_, n) => client(n)));
  const seconds = (performance.now() - begun) / 1_000;
  durations.sort((a, b) => a - b);
  const quantile = (q: number) => durations[Math.floor(q * durations.length)] ?? NaN;
  return { perSecond: durations.length / seconds, p50: quantile(0.5), p99: quantile(0.99) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

if (import.meta.main) {
  await using bench = await startBench({ EXPORT_SECRET: SECRET });
  console.log(`ready after ${bench.startUpMs.toFixed(0)} ms; ${bench.memory()} MiB at rest`);
  await measure(bench.api, bench.destination, 16); // warm-up
  console.log("clients  exports/s  p50 ms  p99 ms   (medians of rounds)");
  for (const clients of CLIENTS) {
    const rounds: Round[] = [];
    for (let n = 0; n < ROUNDS; n++) {
      rounds.push(await measure(bench.api, bench.destination, clients));
    }
    const figures = [
      median(rounds.map(({ perSecond }) => perSecond)).toFixed(0),
      median(rounds.map(({ p50 }) => p50)).toFixed(2),
      median(rounds.map(({ p99 }) => p99)).toFixed(2),
    ];
    console.log(
      `${String(clients).padStart(7)}${figures.map((text) => text.padStart(10)).join("")}`,
    );
  }
  const { submitted, arrived } = await bench.counts();
  console.log(
    `${submitted} exports finished, ${arrived} arrived; ${bench.memory()} MiB in the end`,
  );
  if (submitted !== arrived) Deno.exit(1);
}
