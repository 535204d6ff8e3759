// deno-lint-ignore-file no-console -- the answers are printed
/**
 * The apps of a benchmark, as a process: reads what to do as lines of JSON, and prints what came of
 * it. Each client has a connection of its own, submits an export, polls until it knows the outcome,
 * and starts again. It judges nothing: durations are handed on as they were.
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
  /** Of the data of an export. */
  readonly bytes: number;
  /** The first export has this number, the next one the next. */
  readonly firstNumber: number;
}

/** What came of it; durations are milliseconds from the submission. */
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
    // Each once at least, however late the machine lets it begin.
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

/** Straight to the destination, one request after the other: what one lane could do at best. */
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
