/**
 * Lanes: the throughput of one, compared with what its destination can take one after the other;
 * and of many at once, to a slow destination.
 */
import type { Surroundings } from "./measure.ts";
import type { Started } from "./rivals.ts";
import { ratioText } from "./report.ts";
import { median, ratioByRound } from "./statistics.ts";
import { figure, markdownTable } from "./table.ts";

const CLIENTS = 64;
const LANES = [1, 2, 4, 8, 16, 32];
const MS = 1_000;
/** How long destinations take to answer, in milliseconds. */
const FAST = 0;
const SLOW = 5;

/** Exports per second, or requests of the serial loop, round by round. */
type Rounds = Map<string, number[]>;

/** Tables of the rivals that have lanes; empty if none has. */
export async function measureLanes(
  started: readonly Started[],
  surroundings: Surroundings,
  rounds: number,
): Promise<string> {
  const laned = started.filter(({ kind }) => kind.hasLanes);
  if (laned.length === 0) return "";
  const found: Rounds = new Map();
  const note = (key: string, value: number) => {
    found.set(key, [...found.get(key) ?? [], value]);
  };
  for (let round = 0; round < rounds; round++) {
    for (const answersAfterMs of [FAST, SLOW]) {
      note(keyOf("", answersAfterMs), await surroundings.serialRate({ ms: MS, answersAfterMs }));
      for (const { kind, rival } of laned) {
        for (const lanes of answersAfterMs === FAST ? [1] : LANES) {
          const job = { clients: CLIENTS, lanes, ms: MS, answersAfterMs };
          const { perSecond } = await surroundings.measure(rival, job);
          note(keyOf(kind.name, answersAfterMs, lanes), perSecond);
        }
      }
    }
  }
  const names = laned.map(({ kind }) => kind.name);
  return `${oneLane(names, found)}\n\n${manyLanes(names, found)}`;
}

function keyOf(name: string, answersAfterMs: number, lanes = 1): string {
  return `${name} ${answersAfterMs} ${lanes}`;
}

function oneLane(names: readonly string[], found: Rounds): string {
  const head = [
    `one lane, ${CLIENTS} clients`,
    "destination",
    "straight, 1/s",
    "exports/s",
    "ratio",
  ];
  const rows = [FAST, SLOW].flatMap((answersAfterMs) => {
    const straight = found.get(keyOf("", answersAfterMs)) ?? [];
    const destination = answersAfterMs === FAST ? "at once" : `${answersAfterMs} ms`;
    return names.map((name) => {
      const rates = found.get(keyOf(name, answersAfterMs)) ?? [];
      const figures = [figure(median(straight)), figure(median(rates))];
      return [name, destination, ...figures, ratioText(ratioByRound(rates, straight))];
    });
  });
  return markdownTable(head, rows);
}

function manyLanes(names: readonly string[], found: Rounds): string {
  const head = [
    `${CLIENTS} clients, ${SLOW} ms, exports/s`,
    ...LANES.map((lanes) => lanes === 1 ? "1 lane" : `${lanes} lanes`),
  ];
  const rows = names.map((name) => [
    name,
    ...LANES.map((lanes) => figure(median(found.get(keyOf(name, SLOW, lanes)) ?? []))),
  ]);
  return markdownTable(head, rows);
}
