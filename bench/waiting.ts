/**
 * The service, a destination that holds its answers, and clients that wait for their exports there:
 * three processes, and how soon the clients are answered.
 */
import { tokenOf } from "./measure.ts";
import { spawnScript, startServer } from "./script.ts";
import { type Service, startService } from "./service.ts";
import type { Submission } from "./waiting_clients.ts";

/** How long garbage, sockets and late messages take to settle. */
export const CALM_MS = 1_500;
/** How long clients may go without an answer that is due. */
const PATIENCE_MS = 30_000;

/** Milliseconds until each client was answered. */
export interface Told {
  readonly sinceChange: readonly number[];
  readonly sinceAnswer: readonly number[];
}

export interface Waiting extends AsyncDisposable {
  readonly service: Service;
  /** Opens exports; the first of each lane is delivered and held. */
  submit(what: Submitted): Promise<void>;
  /** Has the clients wait for all unfinished exports; fails unless exactly `count` then wait. */
  openAll(count: number): Promise<void>;
  closeAll(): Promise<void>;
  /** Waits until `count` answers are held. */
  untilHeld(count: number): Promise<void>;
  /** Sends the destination a command that causes `count` clients to be answered. */
  tell(command: string, count: number): Promise<Told>;
  /** Finishes all exports, and ends all waiting. */
  finish(): Promise<void>;
}

export interface Submitted {
  readonly lanes: number;
  /** Exports in each lane. */
  readonly depth: number;
  /** Polls of each export. */
  readonly polls: number;
}

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function startWaiting(env: Readonly<Record<string, string>>): Promise<Waiting> {
  const changedAt = new Map<string, number>();
  const service = await startService({
    env,
    counting: `"next":"finished"`,
    onCounted: ({ id, at }) => changedAt.set(String(id), Date.parse(String(at))),
  });
  const { child: destination, port } = await startServer("holding_destination.ts");
  const clients = spawnScript("waiting_clients.ts");
  const uri = `http://127.0.0.1:${port}/`;
  let submissions = 0;

  const command = async (command: string, more: Partial<Submission> = {}) => {
    const done = clients.find((line) => line.done === command);
    await clients.say({ command, ...more });
    return await done;
  };
  const toldSoFar = async () => pairsOf((await command("told")).told);
  const ask = async (what: string) => await (await fetch(uri + what)).json();

  const waiting: Waiting = {
    service,
    async submit({ lanes, depth, polls }) {
      const set = submissions++;
      const tokens = Array.from({ length: lanes }, (_, n) => tokenOf(`waiting ${set} ${n}`, uri));
      await command("submit", { api: service.api, uri, tokens, depth, polls });
      await waiting.untilHeld(lanes);
    },
    async openAll(count) {
      const { open } = await command("open");
      await pause(CALM_MS);
      const { files } = service.look();
      if (Number(open) !== count || files < count) {
        throw new Error(`${open} of ${count} clients wait; the service has ${files} files open`);
      }
    },
    async closeAll() {
      await command("close");
      await pause(CALM_MS);
    },
    async untilHeld(count) {
      while (await ask("held") < count) await pause(100);
      await pause(CALM_MS);
    },
    async tell(what, count) {
      const before = (await toldSoFar()).length;
      await ask(what);
      const until = performance.now() + PATIENCE_MS;
      let told = await toldSoFar();
      while (told.length < before + count && performance.now() < until) {
        await pause(500);
        told = await toldSoFar();
      }
      const news = told.slice(before);
      if (news.length !== count) throw new Error(`${news.length} of ${count} polls were told`);
      const answeredAt = new Map(pairsOf(await ask("answered")));
      return { sinceChange: delays(news, changedAt), sinceAnswer: delays(news, answeredAt) };
    },
    async finish() {
      await command("close");
      await command("forget");
      for (let held = await ask("held"); held > 0; held = await ask("held")) {
        await ask(`release?count=${held}`);
        await pause(CALM_MS);
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([clients.end(), service[Symbol.asyncDispose](), destination.end()]);
    },
  };
  return waiting;
}

/** Pairs of an id and a time, as they came as JSON. */
function pairsOf(value: unknown): [id: string, at: number][] {
  if (!Array.isArray(value)) throw new TypeError("No moments came");
  return value.map(([id, at]) => [String(id), Number(at)]);
}

/** From each export's time in `begun` until its client was answered. */
function delays(told: readonly [string, number][], begun: ReadonlyMap<string, number>): number[] {
  return told.map(([id, at]) => at - (begun.get(id) ?? NaN));
}
