/** The command-line options of a comparison, and how they are parsed. */
import { parseArgs } from "node:util";

export interface Options {
  readonly clients: readonly number[];
  readonly rivals: readonly string[];
  readonly rounds: number;
  /** For each rival under each load in each round. */
  readonly seconds: number;
  readonly picture: string;
  readonly parts: readonly string[];
  /** Other checkouts of this project. */
  readonly services: readonly string[];
}

export const OPTIONS = `deno task bench [options]

  --clients 1,16,64,256     how many apps at once
  --rivals ours,limit       of: ours, ours TLS, limit, toy, toy http, bullmq, bullmq http, naive kv
  --service FOLDER          another checkout of this project as one more rival; may be repeated
  --parts speed,lanes,nature
                            exports per second; one lane and many; memory and commits
  --rounds 5                of all rivals
  --seconds 2               for each rival and number of clients in a round
  --picture FILE            data/comparison.svg by default`;

export const RIVALS = [
  "ours",
  "ours TLS",
  "limit",
  "toy",
  "toy http",
  "bullmq",
  "bullmq http",
  "naive kv",
];
const PARTS = ["speed", "lanes", "nature"];

/** `undefined` if help was asked for; throws if an option is invalid. */
export function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      clients: { type: "string", default: "1,16,64,256" },
      rivals: { type: "string", default: RIVALS.join() },
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "2" },
      picture: { type: "string", default: "data/comparison.svg" },
      parts: { type: "string", default: PARTS.join() },
      service: { type: "string", multiple: true, default: [] },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  return {
    clients: listOf(values.clients).map((text) => positive("clients", text)),
    rivals: oneOf("rivals", RIVALS, listOf(values.rivals)),
    rounds: positive("rounds", values.rounds),
    seconds: positive("seconds", values.seconds),
    picture: values.picture,
    parts: oneOf("parts", PARTS, listOf(values.parts)),
    services: values.service,
  };
}

export function listOf(text: string): string[] {
  return text.split(",").map((item) => item.trim());
}

export function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new RangeError(`Cannot read --${name}: "${text}" is no positive number`);
  return value;
}

export function oneOf(name: string, known: readonly string[], found: readonly string[]): string[] {
  const unknown = found.find((item) => !known.includes(item));
  if (unknown !== undefined) {
    throw new RangeError(`Cannot read --${name}: "${unknown}" is none of ${known.join(", ")}`);
  }
  return [...found];
}
