// deno-lint-ignore-file no-console -- the answers are printed
/**
 * Many clients that wait by long polls, as one process, a connection each. Reads commands, one JSON
 * a line: `submit` opens exports, `open` begins to wait for all of them, `close` hangs up, `forget`
 * drops the exports, `told` prints when each client learnt of its export's end. Evaluates nothing.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { connect, type Connection } from "./connection.ts";

/** What to submit. */
export interface Submission {
  readonly api: string;
  readonly uri: string;
  /** One for each lane. */
  readonly tokens: readonly string[];
  /** Exports in a lane, and polls of each. */
  readonly depth: number;
  readonly polls: number;
}

interface Awaited {
  readonly id: string;
  readonly api: URL;
  readonly uri: string;
  readonly token: string;
  readonly polls: number;
}

/** Connections being made at once, few enough that the listener's queue does not overflow. */
const PARALLEL = 64;

const awaited: Awaited[] = [];
const told: [id: string, at: number][] = [];
const connections = new Set<Connection>();

async function ask(connection: Connection, id: string, uri: string) {
  const { status, body } = await connection.post(JSON.stringify({ id, uri, data: "{}" }));
  if (status !== 200) throw new Error(`A client was answered ${status}: ${body}`);
  return JSON.parse(body);
}

async function each<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const work = async () => {
    for (const item of left) await action(item);
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
}

async function submit({ api, uri, tokens, depth, polls }: Submission): Promise<void> {
  const url = new URL(`${api}?timeout=60`);
  await each(tokens, async (token) => {
    const connection = await connect(url, { "x-api-key": token }, []);
    for (let n = 0; n < depth; n++) {
      const { id } = await ask(connection, "", uri);
      awaited.push({ id, api: url, uri, token, polls });
    }
    connection.close();
  });
}

/** Waits until the export is finished, by as many polls as that takes. */
async function wait(connection: Connection, { id, uri }: Awaited): Promise<void> {
  try {
    while ((await ask(connection, id, uri)).state !== "Finished");
    told.push([id, performance.timeOrigin + performance.now()]);
    connection.close();
  } catch (error) {
    // Closed by `close`.
    if (connections.has(connection)) throw error;
  }
  connections.delete(connection);
}

async function open(): Promise<void> {
  const finished = new Set(told.map(([id]) => id));
  const waiting = awaited.filter(({ id }) => !finished.has(id))
    .flatMap((one) => Array.from({ length: one.polls }, () => one));
  await each(waiting, async (one) => {
    const connection = await connect(one.api, { "x-api-key": one.token }, []);
    connections.add(connection);
    void wait(connection, one);
  });
}

function close(): void {
  const all = [...connections];
  connections.clear();
  for (const connection of all) connection.close();
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...submission } = JSON.parse(line);
    if (command === "submit") await submit(submission);
    if (command === "open") await open();
    if (command === "close") close();
    if (command === "forget") awaited.length = 0;
    const answer = { done: command, open: connections.size };
    console.log(JSON.stringify(command === "told" ? { ...answer, told } : answer));
  }
}
