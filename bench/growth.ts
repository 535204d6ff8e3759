// deno-lint-ignore-file no-console -- figures are printed
/**
 * `deno task bench:growth`: whether a store that has grown still performs like an empty one. With
 * given numbers of finished and pending exports, measures start-up and exports per second,
 * alternating with a service on an empty store. Fails if an export was lost or arrived twice.
 *
 * The pending ones wait for a second attempt, half an hour after they were put in, or behind one
 * that does; they are put in anew each time.
 */
import { parseArgs } from "node:util";
import { measureExpiry } from "./expiry.ts";
import { type Figures, startSurroundings, type Surroundings } from "./measure.ts";
import { listOf, positive } from "./options.ts";
import { ratioText } from "./report.ts";
import { rivalOf } from "./rivals.ts";
import { type Service, startService } from "./service.ts";
import { median, ratioByRound, type Spread } from "./statistics.ts";
import { stoppable } from "./stoppable.ts";
import { bytesOf, contentsOf, copyStore, fill, finishedStore, removeFolder } from "./stores.ts";
import { figure, markdownTable } from "./table.ts";
import { verdict } from "./verdict.ts";

const OPTIONS = `deno task bench:growth [options]

  --finished 20000      exports that are kept; a million takes many minutes to put in
  --pending 1000x100    lanes x exports in each; several with commas, e.g. 1x100000,100000x1
  --rounds 5            of 2 s with 16 and 64 clients, on the grown and the empty store
  --store FOLDER        keeps the finished exports for the next run
  --minutes M           instead, whether expiry keeps up with acceptance for so long, on a store
                        that has what a service holds that has accepted at this rate for long;
                        to put that in takes minutes, too`;

const ROUND_MS = 2_000;
const FIRST_MS = 1_000;
const CLIENTS = [16, 64];

interface Options {
  readonly store: string | undefined;
  readonly finished: number;
  readonly pending: readonly string[];
  readonly rounds: number;
  readonly minutes: number | undefined;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      store: { type: "string" },
      finished: { type: "string", default: "20000" },
      pending: { type: "string", default: "1000x100" },
      rounds: { type: "string", default: "5" },
      minutes: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    store: values.store,
    finished: positive("finished", values.finished),
    pending: listOf(values.pending),
    rounds: positive("rounds", values.rounds),
    minutes: values.minutes === undefined ? undefined : positive("minutes", values.minutes),
  };
}

/** What a service still does after it is ready may delay the first exports. */
async function measureStart(name: string, service: Service, { measure }: Surroundings) {
  const { finished } = await measure(rivalOf(service), { clients: 16, ms: FIRST_MS });
  const { memoryMiB } = service.look();
  const [p50, p99] = [figure(finished.p50), figure(finished.p99)];
  const first = `in its first second p50 ${p50} ms, p99 ${p99} ms`;
  console.log(`${name}: ready after ${figure(service.startUpMs)} ms; ${first}; ${memoryMiB} MiB`);
}

/** Alternates between a service on the grown store in `folder` and one on an empty store. */
async function compare(folder: string, surroundings: Surroundings, rounds: number) {
  await using empty = await startService();
  await using grown = await startService({ folder });
  const sides = [["empty", empty], ["grown", grown]] as const;
  for (const [name, service] of sides) await measureStart(name, service, surroundings);
  const rows: string[][] = [];
  const ratios: Spread[] = [];
  for (const clients of CLIENTS) {
    const found: Record<"empty" | "grown", Figures[]> = { empty: [], grown: [] };
    for (let round = 0; round < rounds; round++) {
      for (const [name, service] of round % 2 === 0 ? sides : sides.toReversed()) {
        found[name].push(
          await surroundings.measure(rivalOf(service), { clients, ms: ROUND_MS }),
        );
      }
    }
    const perSecond = (name: "empty" | "grown") => found[name].map(({ perSecond }) => perSecond);
    ratios.push(ratioByRound(perSecond("grown"), perSecond("empty")));
    for (const [name] of sides) {
      const p50 = median(found[name].map(({ finished }) => finished.p50));
      const p99 = median(found[name].map(({ finished }) => finished.p99));
      rows.push([name, String(clients), ...[median(perSecond(name)), p50, p99].map(figure)]);
    }
  }
  console.log(markdownTable(["store", "clients", "exports/s", "outcome p50 ms", "p99"], rows));
  return { startUpMs: grown.startUpMs, ratios };
}

function showFinished(folder: string, count: number): void {
  const each = (bytes: number) => `${(bytes / count).toFixed(0)} bytes an export`;
  for (const [kind, { rows, bytes }] of contentsOf(folder)) {
    if (bytes >= count) console.log(`  ${kind}: ${rows} rows, ${each(bytes)}`);
  }
  console.log(`  on disk, with indexes: ${each(bytesOf(folder))}`);
}

async function measureGrowth(folder: string, options: Options, surroundings: Surroundings) {
  const { finished: count, pending, rounds } = options;
  const finished = await finishedStore(folder, count);
  console.log(`${count} finished exports: ${figure(bytesOf(finished) / 1_048_576)} MiB`);
  showFinished(finished, count);
  const verdicts: string[] = [];
  for (const shape of pending) {
    const [lanes = 0, depth = 0] = shape.split("x").map((text) => positive("pending", text));
    const work = `${folder}/work`;
    await copyStore(finished, work);
    await fill(work, "waiting", lanes, depth);
    console.log(`\n${count} finished, ${lanes * depth} pending: ${lanes} lanes of ${depth}`);
    const { startUpMs, ratios } = await compare(work, surroundings, rounds);
    await removeFolder(work);
    verdicts.push(verdict(`start-up, ${shape} pending`, startUpMs, { atMost: 2_000 }, "ms"));
    for (const [n, ratio] of ratios.entries()) {
      const what = `exports/s to an empty store, ${shape} pending, ${CLIENTS[n]} clients`;
      verdicts.push(`${verdict(what, ratio.median, { atLeast: 0.9 })}; ${ratioText(ratio)}`);
    }
  }
  console.log(`\n${verdicts.join("\n")}`);
}

async function run(options: Options, stack: AsyncDisposableStack): Promise<boolean> {
  const surroundings = stack.use(await startSurroundings());
  const folder = options.store ?? await Deno.makeTempDir();
  if (options.store === undefined) stack.defer(() => removeFolder(folder));
  if (options.minutes === undefined) await measureGrowth(folder, options, surroundings);
  else await measureExpiry(`${folder}/expiring`, options.minutes, surroundings);
  const { exports, missing, repeated } = await surroundings.astray();
  console.log(`${exports} exports; ${missing} never came, ${repeated} came more than once`);
  return missing + repeated === 0;
}

if (import.meta.main) {
  const options = readOptions();
  if (options === undefined) console.log(OPTIONS);
  else await stoppable((stack) => run(options, stack));
}
