// deno-lint-ignore-file no-console -- figures are printed
/**
 * `deno task bench`: compares this service with its rivals, in one run. Closed loop: each client
 * submits 1 KB to a destination on this machine, waits for the outcome by long polls, and starts
 * again. The rivals take turns within each round, so that a disturbance of the machine affects all
 * of them. The machine is noisy: only the ratios hold elsewhere. Fails if an export was lost or
 * arrived twice.
 */
import { writePicture } from "./picture.ts";
import { barChart } from "./bars.ts";
import { measureLanes } from "./lanes.ts";
import { startSurroundings, type Surroundings } from "./measure.ts";
import { OPTIONS, type Options, readOptions, RIVALS } from "./options.ts";
import { barsOf, type Nature, natureTable, speedTable } from "./report.ts";
import { OURS, type RivalKind, rivalKinds, type Started } from "./rivals.ts";
import type { Measurement } from "./statistics.ts";
import { stoppable } from "./stoppable.ts";
import { figure } from "./table.ts";
import { usageOf } from "./usage.ts";

const WARM_UP = { clients: 16, ms: 1_000 };
const COUNTED_MS = 1_000;

/** Measures all under all loads, in rounds; every other round in the opposite order. */
async function compare(
  started: readonly Started[],
  { measure }: Surroundings,
  { clients, rounds, seconds }: Options,
): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const count of clients) {
      const fit = started.filter(({ kind }) => count <= kind.clientsMax);
      for (const { kind, rival } of round % 2 === 0 ? fit : fit.toReversed()) {
        const figures = await measure(rival, { clients: count, ms: seconds * 1_000 });
        measurements.push({ rival: kind.name, clients: count, round, ...figures });
        const { exports, missing, repeated } = figures;
        if (missing + repeated > 0) {
          console.log(`${kind.name}: of ${exports} ${missing} never came, ${repeated} repeatedly`);
        }
      }
    }
    console.error(`round ${round + 1} of ${rounds} is over`);
  }
  return measurements.toSorted((a, b) => indexOf(started, a.rival) - indexOf(started, b.rival));
}

function indexOf(started: readonly Started[], name: string): number {
  return started.findIndex(({ kind }) => kind.name === name);
}

/** In separate runs, since counting disturbs the measurement. */
async function countCommits(
  kind: RivalKind,
  { measure }: Surroundings,
  { clients }: Options,
): Promise<ReadonlyMap<number, number>> {
  const perExport = new Map<number, number>();
  if (kind.commit === "none") return perExport;
  await using rival = await kind.start(true);
  if (rival.commits === undefined) return perExport;
  await measure(rival, WARM_UP);
  for (const count of clients.filter((count) => count <= kind.clientsMax)) {
    const before = await rival.commits();
    const { exports } = await measure(rival, { clients: count, ms: COUNTED_MS });
    perExport.set(count, (await rival.commits() - before) / exports);
  }
  return perExport;
}

/** The rivals that were asked for and can be measured here. */
function choose({ rivals, services }: Options): RivalKind[] {
  return rivalKinds(services).filter(({ name, missing }) => {
    // Another checkout is listed only if it was asked for.
    if (RIVALS.includes(name) && !rivals.includes(name)) return false;
    const why = missing();
    if (why !== undefined) console.log(`${name} is left out: ${why}`);
    return why === undefined;
  });
}

/** Returns whether every export arrived exactly once; what it starts is left to `stack`. */
async function run(options: Options, stack: AsyncDisposableStack): Promise<boolean> {
  const surroundings = stack.use(await startSurroundings());
  const started: Started[] = [];
  for (const kind of choose(options)) {
    const rival = await kind.start(false);
    if (stack.disposed) {
      // Stopped meanwhile.
      await rival[Symbol.asyncDispose]();
      return false;
    }
    stack.use(rival);
    started.push({ kind, rival });
    await surroundings.measure(rival, WARM_UP);
  }
  const has = (part: string) => options.parts.includes(part);
  if (has("speed")) {
    const measurements = await compare(started, surroundings, options);
    console.log(`\n${speedTable(OURS, measurements)}\n`);
    const title = "Exports per second";
    await writePicture(options.picture, barChart(title, barsOf(measurements)));
  }
  if (has("nature")) {
    const natures: Nature[] = [];
    for (const { kind, rival } of started) {
      const { peakMiB } = usageOf(rival.pids);
      const commitsPerExport = await countCommits(kind, surroundings, options);
      natures.push({ name: kind.name, commit: kind.commit, peakMiB, commitsPerExport });
    }
    console.log(`${natureTable(natures, options.clients)}\n`);
  }
  if (has("lanes")) console.log(`${await measureLanes(started, surroundings, options.rounds)}\n`);
  const { exports, missing, repeated } = await surroundings.astray();
  const { cpuSeconds } = usageOf(surroundings.pids);
  const each = figure(cpuSeconds / exports * 1_000);
  console.log(`${exports} exports; ${missing} never came, ${repeated} came more than once`);
  console.log(`apps and destination took ${each} CPU s per 1,000 of them`);
  return missing + repeated === 0;
}

if (import.meta.main) {
  const options = readOptions(Deno.args);
  if (options === undefined) console.log(OPTIONS);
  else await stoppable((stack) => run(options, stack));
}
