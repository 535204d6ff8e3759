// deno-lint-ignore-file no-console -- figures are printed
/**
 * `deno task bench:payloads`: exports of 1 MiB and 10 MiB, 16 at once. Measures peak memory above
 * rest per byte in flight, and MB/s from submission to outcome, alternating with an endpoint that
 * forwards and keeps nothing. A service that handles exports of 1 KB as fast as it can takes more
 * than at rest, too: that peak is reported, and the memory above it. Fails if an export was lost or
 * arrived twice.
 */
import { parseArgs } from "node:util";
import { type Figures, startSurroundings, type Surroundings } from "./measure.ts";
import { listOf, positive } from "./options.ts";
import { ratioText } from "./report.ts";
import { type Rival, rivalOf, startLimit } from "./rivals.ts";
import { startService } from "./service.ts";
import { median, ratioByRound } from "./statistics.ts";
import { stoppable } from "./stoppable.ts";
import { figure, markdownTable } from "./table.ts";
import { forgetPeak, usageOf } from "./usage.ts";
import { verdict } from "./verdict.ts";

const OPTIONS = `deno task bench:payloads [options]

  --mib 1,10     sizes of an export's data
  --rounds 5     of the service and what it is compared with
  --seconds 2    of each in a round; what has begun is finished, however long that takes`;

const MIB = 1_048_576;
const CLIENTS = 16;
const CALM_MS = 1_000;
const WARM_UP_MS = 3_000;

/** Raises what the service's defaults refuse: exports of 10 MiB, and 16 of them at once. */
const SETTINGS = { EXPORT_BODY_LIMIT: "10MiB", EXPORT_RECEIVING: "512MiB" };

interface Side {
  readonly rival: Rival;
  /** Resident memory at the start, MiB. */
  readonly restMiB: number;
  /** The peak while it handled small exports, MiB. */
  readonly busyMiB: number;
  readonly mbPerSecond: number[];
  /** The peak in each round, MiB. */
  readonly peaksMiB: number[];
}

interface Options {
  readonly mib: readonly number[];
  readonly rounds: number;
  readonly ms: number;
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      mib: { type: "string", default: "1,10" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "2" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    mib: listOf(values.mib).map((text) => positive("mib", text)),
    rounds: positive("rounds", values.rounds),
    ms: positive("seconds", values.seconds) * 1_000,
  };
}

function peakMiB({ pids }: Rival): number {
  return usageOf(pids).peakMiB;
}

async function sideOf(rival: Rival, { measure }: Surroundings): Promise<Side> {
  const restMiB = peakMiB(rival);
  await measure(rival, { clients: CLIENTS, ms: WARM_UP_MS });
  return { rival, restMiB, busyMiB: peakMiB(rival), mbPerSecond: [], peaksMiB: [] };
}

async function round(
  { rival, mbPerSecond, peaksMiB }: Side,
  { measure }: Surroundings,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): Promise<Figures> {
  rival.pids.forEach(forgetPeak);
  const figures = await measure(rival, { clients: CLIENTS, ms, bytes });
  mbPerSecond.push(figures.perSecond * bytes / 1e6);
  peaksMiB.push(peakMiB(rival));
  await pause(CALM_MS);
  return figures;
}

/** Peak memory above `fromMiB`, per byte in flight. */
function factor({ peaksMiB }: Side, fromMiB: number, mib: number): number {
  return (Math.max(...peaksMiB) - fromMiB) / (CLIENTS * mib);
}

function rowOf(name: string, side: Side, mib: number): string[] {
  const { restMiB, busyMiB, mbPerSecond, peaksMiB } = side;
  const memory = [restMiB, busyMiB, Math.max(...peaksMiB)];
  const factors = [factor(side, restMiB, mib), factor(side, busyMiB, mib)];
  return [name, `${mib} MiB`, ...[median(mbPerSecond), ...memory, ...factors].map(figure)];
}

async function run({ mib: sizes, rounds, ms }: Options, stack: AsyncDisposableStack) {
  const needed = Object.entries(SETTINGS).map((pair) => pair.join("=")).join(" ");
  console.log(`${CLIENTS} at once; needed: ${needed}\n`);
  const surroundings = stack.use(await startSurroundings());
  const rows: string[][] = [];
  const verdicts: string[] = [];
  let astray = 0;
  for (const mib of sizes) {
    await using service = rivalOf(await startService({ env: SETTINGS }));
    await using limit = await startLimit();
    const ours = await sideOf(service, surroundings);
    const plain = await sideOf(limit, surroundings);
    for (let n = 0; n < rounds; n++) {
      for (const side of [ours, plain]) {
        const { missing, repeated } = await round(side, surroundings, { bytes: mib * MIB, ms });
        astray += missing + repeated;
      }
    }
    rows.push(rowOf("service", ours, mib), rowOf("limit", plain, mib));
    const most = factor(ours, ours.restMiB, mib);
    verdicts.push(verdict(`memory at most, ${mib} MiB`, most, { atMost: 4 }, "× bytes in flight"));
    const share = ratioText(ratioByRound(ours.mbPerSecond, plain.mbPerSecond));
    verdicts.push(`     MB/s to those of the limit, ${mib} MiB: ${share}`);
  }
  const head = ["resident MiB, and beyond, per byte in flight", "size", "MB/s", "rest", "small"];
  console.log(markdownTable([...head, "most", "beyond rest", "beyond small"], rows));
  console.log(`\n${verdicts.join("\n")}`);
  const { exports } = await surroundings.astray();
  console.log(`${exports} exports; ${astray} of the large ones did not come exactly once`);
  return astray === 0;
}

if (import.meta.main) {
  const options = readOptions();
  if (options === undefined) console.log(OPTIONS);
  else await stoppable((stack) => run(options, stack));
}
