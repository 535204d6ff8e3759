// deno-lint-ignore-file no-console -- the answers are printed
/**
 * The apps of a benchmark, as a process: reads jobs as lines of JSON, and prints the results. Each
 * client has its own connection, submits an export, polls until it knows the outcome, and starts
 * again. It evaluates nothing: durations are passed on as measured.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { connect } from "./connection.ts";
import { payloadOf } from "./payload.ts";

const GIVE_UP_MS = 60_000;

export interface Load {
  readonly api: string;
  readonly uri: string;
  /** One for each client. */
  readonly tokens: readonly string[];
  readonly caCerts: readonly string[];
  readonly ms: number;
  /** Size of an export's data. */
  readonly bytes: number;
  /** The number of the first export; the next ones count up from it. */
  readonly firstNumber: number;
}

/** The result of a job; durations are milliseconds from the submission. */
export interface Told {
  readonly ms: number;
  readonly accepted: readonly number[];
  readonly finished: readonly number[];
}

async function exportAll(load: Load): Promise<Told> {
  const accepted: number[] = [];
  const finished: number[] = [];
  let number = load.firstNumber;
  const client = async (token: string) => {
    const connection = await connect(new URL(load.api), { "x-api-key": token }, load.caCerts);
    const ask = async (id: string, data: string) => {
      const { status, body } = await connection.post(JSON.stringify({ id, uri: load.uri, data }));
      if (status !== 200) throw new Error(`${load.api} answered ${status}: ${body}`);
      return JSON.parse(body);
    };
    // At least one per client, however late the machine lets it begin.
    do {
      const data = payloadOf(number++, load.bytes);
      const submitted = performance.now();
      let { id, state } = await ask("", data);
      accepted.push(performance.now() - submitted);
      while (state !== "Finished") {
        if (performance.now() - submitted > GIVE_UP_MS) throw new Error(`${load.api} hangs`);
        ({ state } = await ask(id, "{}"));
      }
      finished.push(performance.now() - submitted);
    } while (performance.now() - begun < load.ms);
    connection.close();
  };
  const begun = performance.now();
  await Promise.all(load.tokens.map(client));
  return { ms: performance.now() - begun, accepted, finished };
}

/** Sends straight to the destination, one request after the other: one lane could do no better. */
async function sendSerially({ uri, ms, bytes, firstNumber }: Load): Promise<Told> {
  const finished: number[] = [];
  const begun = performance.now();
  do {
    const sent = performance.now();
    const body = payloadOf(firstNumber + finished.length, bytes);
    await (await fetch(uri, { method: "POST", body })).text();
    finished.push(performance.now() - sent);
  } while (performance.now() - begun < ms);
  return { ms: performance.now() - begun, accepted: [], finished };
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    const load: Load = JSON.parse(line);
    console.log(JSON.stringify(await (load.api === "" ? sendSerially(load) : exportAll(load))));
  }
}
