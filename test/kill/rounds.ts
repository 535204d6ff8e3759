/**
 * Kills the service under load, again and again, each time on the same store, and then lets it
 * finish. The moments are chosen by dice and counted in answers and arrivals, so that every kill
 * finds work; some come while the service is still starting.
 */
import { Dice } from "../fakes/dice.ts";
import { type ServiceProcess, spawnProcess } from "../fakes/service_process.ts";
import { type App, ask, createApps, Load } from "./load.ts";
import { Witness } from "./witness.ts";

const SECRET = "a secret of the tests";
const OWNERS = ["steps", "weather", "sleep", "music"];
const DESTINATIONS = 3;

/** When a kill comes. */
type Moment =
  | { readonly kind: "starting"; readonly ms: number }
  | { readonly kind: "answers" | "arrivals"; readonly count: number };

export interface KillRun {
  readonly apps: readonly App[];
  readonly witness: Witness;
  /** What the apps are told in the end, by id. */
  readonly told: ReadonlyMap<string, { readonly state: string; readonly status: string }>;
  readonly storePath: string;
}

/** Runs `rounds` kills in `folder` and hands what is left to `judge`. */
export async function killRounds(
  folder: string,
  { rounds, seed }: { readonly rounds: number; readonly seed: number },
  judge: (run: KillRun) => Promise<void>,
): Promise<void> {
  const dice = new Dice(seed);
  const events = new Events();
  await using witness = new Witness(
    DESTINATIONS,
    dice.another(),
    () => events.happened("arrivals"),
  );
  const apps = createApps(SECRET, OWNERS, witness.uris());
  const start = () => {
    witness.start(apps.filter((app) => isOwed(app, witness)).map(({ name }) => name));
    return spawnProcess({ folder, env: { EXPORT_SECRET: SECRET } });
  };
  const running = new Running();
  const load = new Load(apps, dice, () => running.port, () => events.happened("answers"));
  for (let round = 0; round < rounds; round++) {
    await using service = start();
    await killed(service, momentOf(round, dice), running, events);
  }
  {
    await using service = start();
    running.begin(await service.listening());
    await load.end();
    const told = await learnAll(await running.port, apps);
    await service.kill("SIGTERM");
    await judge({ apps, witness, told, storePath: `${folder}/data/export.kv` });
  }
}

/** Nothing can be in progress before the first kill, so that one finds a service at work. */
function momentOf(round: number, dice: Dice): Moment {
  if (round > 0 && dice.below(5) === 0) return { kind: "starting", ms: dice.below(150) };
  return { kind: dice.pick(["answers", "arrivals"]), count: 1 + dice.below(150) };
}

async function killed(
  service: ServiceProcess,
  moment: Moment,
  running: Running,
  events: Events,
): Promise<void> {
  if (moment.kind === "starting") {
    await new Promise((resolve) => setTimeout(resolve, moment.ms));
  } else {
    const enough = events.after(moment.kind, moment.count);
    running.begin(await service.listening());
    await enough;
    running.end();
  }
  await service.kill("SIGKILL");
}

/** An app is owed work for sure if its last answered export has not even arrived. */
function isOwed({ name, submissions }: App, witness: Witness): boolean {
  const last = submissions.findLast(({ id }) => id !== undefined);
  return last !== undefined && !witness.hasSeen(name, last.n);
}

/** Polls every export that was answered for, until it is finished. */
async function learnAll(port: number, apps: readonly App[]) {
  const told = new Map<string, { state: string; status: string }>();
  await Promise.all(apps.map(async (app) => {
    for (const { id } of app.submissions) {
      if (id === undefined) continue;
      let receipt;
      do receipt = await ask(port, app, { id, data: "{}" }); while (receipt.state !== "Finished");
      told.set(id, { state: receipt.state, status: receipt.ext_response.status });
    }
  }));
  return told;
}

/** The port of the service in the hands of the apps, who wait while there is none. */
class Running {
  #next = Promise.withResolvers<number>();

  get port(): Promise<number> {
    return this.#next.promise;
  }

  begin(port: number): void {
    this.#next.resolve(port);
  }

  end(): void {
    this.#next = Promise.withResolvers();
  }
}

/** Counts what happens, and tells when there was enough of it. */
class Events {
  #waiting: { kind: string; left: number; resolve: () => void } | undefined;

  after(kind: string, count: number): Promise<void> {
    return new Promise((resolve) => this.#waiting = { kind, left: count, resolve });
  }

  happened(kind: string): void {
    const waiting = this.#waiting;
    if (waiting?.kind === kind && --waiting.left === 0) waiting.resolve();
  }
}
