/** What must hold after any number of kills, checked against apps, destinations and ledger. */
import { assert, assertEquals } from "@std/assert";
import { readChains } from "../../src/ledger/read_chains.ts";
import { openStore } from "../../src/machine/store_file.ts";
import type { KillRun } from "./rounds.ts";
import type { Sighting } from "./witness.ts";
import { verifyStored } from "../fakes/verify.ts";

export interface Summary {
  readonly answered: number;
  readonly arrivals: number;
  readonly duplicates: number;
  readonly resumedAfterMs: readonly number[];
}

/**
 * @param resumeMaxMs from a start until each lane that has work goes on
 * @throws if anything was lost, reordered, or sent again without need
 */
export async function judge(
  { apps, witness, told, storePath }: KillRun,
  resumeMaxMs: number,
): Promise<Summary> {
  const lapses = await readLapses(storePath);
  let answered = 0;
  let arrivals = 0;
  let duplicates = 0;
  for (const { name, submissions } of apps) {
    const seen = witness.sightings.get(name) ?? [];
    const accepted = submissions.filter(({ id }) => id !== undefined);
    for (const { id = "", n } of accepted) {
      assertEquals(told.get(id), { state: "Finished", status: "200 OK" }, `${name} ${n}`);
      assert(seen.some((sighting) => sighting.id === id && sighting.n === n), `${name} ${n} lost`);
    }
    const firsts = seen.filter(isFirst);
    const order = firsts.map(({ n }) => n);
    assertEquals(order, order.toSorted((a, b) => a - b), `order of ${name}`);
    assertEquals(new Set(order).size, order.length, `${name}: one export under two keys`);
    for (const { id, n } of firsts) {
      const again = seen.filter((sighting) => sighting.id === id).length - 1;
      assert(again <= (lapses.get(id) ?? 0), `${name} ${n} was sent again, and not over a kill`);
    }
    answered += accepted.length;
    arrivals += seen.length;
    duplicates += seen.length - firsts.length;
  }
  const { resumedAfterMs } = witness;
  assert(Math.max(...resumedAfterMs) <= resumeMaxMs, `resumed after ${resumedAfterMs} ms`);
  return { answered, arrivals, duplicates, resumedAfterMs };
}

function isFirst({ id }: Sighting, index: number, seen: readonly Sighting[]): boolean {
  return seen.findIndex((other) => other.id === id) === index;
}

/** How often each export was in flight at a kill, by the ledger, which must be whole. */
async function readLapses(storePath: string): Promise<Map<string, number>> {
  const store = await openStore(storePath);
  const lapses = new Map<string, number>();
  const finished = new Set<string>();
  for await (const chain of readChains(store.kv)) {
    const kept = await Array.fromAsync(chain.entries);
    assertEquals((await verifyStored({ ...chain, entries: kept })).kind, "intact");
    for (const bytes of kept) {
      const { kind, id, next } = JSON.parse(new TextDecoder().decode(bytes));
      if (kind === "attempt.lapsed") lapses.set(id, (lapses.get(id) ?? 0) + 1);
      if (next !== "finished") continue;
      assert(!finished.has(id), `${id} was settled twice`);
      finished.add(id);
    }
  }
  for (const prefix of ["lane", "lease", "payload", "staged"]) {
    assertEquals(await Array.fromAsync(store.kv.list({ prefix: [prefix] })), [], prefix);
  }
  store.close();
  return lapses;
}
