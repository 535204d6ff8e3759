// deno-lint-ignore-file no-console -- figures are printed
/**
 * `deno task bench:waiters`: what 5,000 concurrent long polls cost. Measures the service's memory
 * per poll; exports per second of 16 unrelated clients, alternately with and without the polls; and
 * how soon a poll is answered after its export has changed: in a steady stream, when as many change
 * at once as are delivered to one host by default, when a thousand do, and when all wait for the
 * same export.
 *
 * An export changes when its settling is committed: the service logs that at once. Times since its
 * destination's answer include the settling. The destination holds its answers until commanded.
 */
import { parseArgs } from "node:util";
import { DEFAULTS } from "../src/limits.ts";
import { type Figures, startSurroundings } from "./measure.ts";
import { listOf, oneOf, positive } from "./options.ts";
import { rivalOf } from "./rivals.ts";
import { ratioText } from "./report.ts";
import { median, quantilesOf, ratioByRound } from "./statistics.ts";
import { stoppable } from "./stoppable.ts";
import { figure, markdownTable } from "./table.ts";
import { verdict } from "./verdict.ts";
import { CALM_MS, pause, startWaiting, type Told, type Waiting } from "./waiting.ts";

const OPTIONS = `deno task bench:waiters [options]

  --only memory,load,stream,few,burst,one
                 of these: memory of a waiter; unrelated exports beside waiters; how soon polls are
                 answered when changes come steadily, some or many at once, and when all wait for
                 one export
  --lanes 1000   with five exports each, and a poll for each of them
  --rounds 5     with and without waiters
  --seconds 2    of unrelated exports in a round`;

const PARTS = ["memory", "load", "stream", "few", "burst", "one"];
/** Exports per lane: two end in the stream, two in large bursts, the last one in small bursts. */
const DEPTH = 5;
const STREAM_DEPTH = 2;
const BURSTS = 2;
const FEW = DEFAULTS.parallelPerHost;
const STREAM_PER_SECOND = 200;
const CLIENTS = 16;

interface Options {
  readonly only: readonly string[];
  readonly lanes: number;
  readonly rounds: number;
  readonly ms: number;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: PARTS.join() },
      lanes: { type: "string", default: "1000" },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "2" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    only: oneOf("only", PARTS, listOf(values.only)),
    lanes: positive("lanes", values.lanes),
    rounds: positive("rounds", values.rounds),
    ms: positive("seconds", values.seconds) * 1_000,
  };
}

/** Raises the service's defaults, which permit 4,096 waiting polls, 2,048 of one owner. */
function settingsFor(lanes: number) {
  const polls = String(DEPTH * lanes + CLIENTS);
  return {
    EXPORT_POLLS: polls,
    // For the polls that all wait for one export.
    EXPORT_POLLS_PER_OWNER: polls,
    // Each lane has an answer held back, and other exports must still get through.
    EXPORT_PARALLEL: String(lanes + CLIENTS),
    EXPORT_PARALLEL_PER_HOST: String(lanes),
    EXPORT_ATTEMPT_TIMEOUT: "10m",
  };
}

/** Resident memory with no waiters and with all, measured before load has enlarged it. */
async function measureMemory({ service, openAll }: Waiting, waiters: number): Promise<string> {
  await pause(CALM_MS);
  const rest = service.look().memoryMiB;
  await openAll(waiters);
  const full = service.look().memoryMiB;
  console.log(`resident memory: ${rest} MiB with nobody waiting, ${full} MiB with ${waiters}`);
  return verdict("memory of a waiter", (full - rest) * 1_024 / waiters, { atMost: 25 }, "KB");
}

/** Unrelated exports with and without the waiters, which wait at the start and at the end. */
async function measureLoad(waiting: Waiting, waiters: number, { rounds, ms }: Options) {
  await using surroundings = await startSurroundings();
  const rival = rivalOf(waiting.service);
  const measure = () => surroundings.measure(rival, { clients: CLIENTS, ms });
  const withWaiters: Figures[] = [];
  const without: Figures[] = [];
  await measure(); // warm-up
  for (let round = 0; round < rounds; round++) {
    withWaiters.push(await measure());
    await waiting.closeAll();
    without.push(await measure());
    await waiting.openAll(waiters);
  }
  const rows = [["without", without], ["with", withWaiters]] as const;
  console.log(markdownTable(
    [`unrelated exports, ${CLIENTS} clients`, "exports/s", "outcome p50 ms", "p99"],
    rows.map(([name, of]) => [
      `${name} waiters`,
      ...[
        median(of.map(({ perSecond }) => perSecond)),
        median(of.map(({ finished }) => finished.p50)),
        median(of.map(({ finished }) => finished.p99)),
      ].map(figure),
    ]),
  ));
  const perSecond = (of: readonly Figures[]) => of.map(({ perSecond }) => perSecond);
  const ratio = ratioByRound(perSecond(withWaiters), perSecond(without));
  console.log(`with to without: ${ratioText(ratio)}`);
  const { exports, missing, repeated } = await surroundings.astray();
  if (missing + repeated > 0) {
    throw new Error(`Of ${exports} exports ${missing} never came, ${repeated} repeatedly`);
  }
  return verdict("unrelated exports, with to without", ratio.median, { atLeast: 0.9 });
}

/** How soon polls are answered, by what changed. */
class Delays {
  readonly #rows: string[][] = [];
  readonly verdicts: string[] = [];

  note(what: string, tolds: readonly Told[]): void {
    for (const { sinceChange, sinceAnswer } of tolds) {
      const figures = [sinceChange, sinceAnswer].flatMap((delays) => {
        const { p50, p99 } = quantilesOf(delays);
        return [p50, p99, Math.max(...delays)].map(figure);
      });
      this.#rows.push([what, String(sinceChange.length), ...figures]);
    }
    const p99 = median(tolds.map(({ sinceChange }) => quantilesOf(sinceChange).p99));
    this.verdicts.push(verdict(`answered after ${what}, p99`, p99, { atMost: 50 }, "ms"));
  }

  table(): string {
    const head = ["ms until a poll is answered", "polls", "since change p50", "p99", "max"];
    return markdownTable([...head, "since dest's answer p50", "p99", "max"], this.#rows);
  }
}

/** Bursts of as many as are delivered to one host at once by default. */
async function tellFew(waiting: Waiting, lanes: number): Promise<Told> {
  await waiting.untilHeld(lanes);
  const tolds: Told[] = [];
  for (let left = lanes; left >= FEW; left -= FEW) {
    tolds.push(await waiting.tell(`release?count=${FEW}`, FEW));
  }
  return {
    sinceChange: tolds.flatMap(({ sinceChange }) => sinceChange),
    sinceAnswer: tolds.flatMap(({ sinceAnswer }) => sinceAnswer),
  };
}

async function run(options: Options, stack: AsyncDisposableStack): Promise<boolean> {
  const { only, lanes } = options;
  const has = (...parts: readonly string[]) => parts.some((part) => only.includes(part));
  const settings = settingsFor(lanes);
  console.log(`needed: ${Object.entries(settings).map((pair) => pair.join("=")).join(" ")}`);
  const waiting = stack.use(await startWaiting(settings));
  const waiters = lanes * DEPTH;
  const verdicts: string[] = [];
  const delays = new Delays();
  if (has("memory", "load", "stream", "few", "burst")) {
    await waiting.submit({ lanes, depth: DEPTH, polls: 1 });
    if (has("memory")) verdicts.push(await measureMemory(waiting, waiters));
    else await waiting.openAll(waiters);
    if (has("load")) verdicts.push(await measureLoad(waiting, waiters, options));
    if (has("stream")) {
      const count = STREAM_DEPTH * lanes;
      const told = await waiting.tell(
        `stream?count=${count}&perSecond=${STREAM_PER_SECOND}`,
        count,
      );
      delays.note(`${STREAM_PER_SECOND} changes a second`, [told]);
    }
    const bursts: Told[] = [];
    for (let n = 0; has("burst") && n < BURSTS; n++) {
      await waiting.untilHeld(lanes);
      bursts.push(await waiting.tell(`release?count=${lanes}`, lanes));
    }
    if (bursts.length > 0) delays.note(`${lanes} changes at once`, bursts);
    if (has("few")) delays.note(`${FEW} changes at once`, [await tellFew(waiting, lanes)]);
    await waiting.finish();
  }
  if (has("one")) {
    await waiting.submit({ lanes: 1, depth: 1, polls: waiters });
    await waiting.openAll(waiters);
    delays.note(`1 change for ${waiters} polls`, [await waiting.tell("release?count=1", waiters)]);
  }
  if (has("stream", "few", "burst", "one")) console.log(delays.table());
  console.log(`\n${[...verdicts, ...delays.verdicts].join("\n")}`);
  return true;
}

if (import.meta.main) {
  const options = readOptions();
  if (options === undefined) console.log(OPTIONS);
  else await stoppable((stack) => run(options, stack));
}
