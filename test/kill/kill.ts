/** `deno task kill [--rounds N] [--seed S]`: the kill test at length, with its figures. */
import { parseArgs } from "node:util";
import { chosenSeed } from "../fakes/dice.ts";
import { killRounds } from "./rounds.ts";
import { judge } from "./verdict.ts";

/** @throws if anything went wrong; the message names the seed that shows it again */
export async function killTest(
  settings: {
    readonly rounds: number;
    readonly seed: number;
    /** Work goes on within this after a start. */
    readonly resumeMaxMs: number;
  },
): Promise<void> {
  const { rounds, seed } = settings;
  const folder = await Deno.makeTempDir();
  try {
    await killRounds(folder, settings, async (run) => {
      const { answered, arrivals, duplicates, resumedAfterMs } = await judge(
        run,
        settings.resumeMaxMs,
      );
      say(
        `${rounds} kills (seed ${seed}): ${answered} exports accepted, ${arrivals} arrivals, ` +
          `${duplicates} of them again; work resumed after ${describe(resumedAfterMs)}`,
      );
    });
  } catch (cause) {
    throw new Error(`Cannot bear ${rounds} kills with EXPORT_TEST_SEED=${seed}`, { cause });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function describe(durations: readonly number[]): string {
  const sorted = durations.toSorted((a, b) => a - b).map(Math.round);
  const median = sorted[Math.floor(sorted.length / 2)];
  return `${median} ms in the median, ${sorted.at(-1)} ms at most (${sorted.length} lanes)`;
}

function say(line: string): void {
  // deno-lint-ignore no-console -- figures are what it is run for
  console.log(line);
}

if (import.meta.main) {
  const { values } = parseArgs({
    args: Deno.args,
    options: { rounds: { type: "string", default: "50" }, seed: { type: "string" } },
  });
  const seed = values.seed === undefined ? chosenSeed() : Number(values.seed);
  await killTest({ rounds: Number(values.rounds), seed, resumeMaxMs: 3_000 });
}
