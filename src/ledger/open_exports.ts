/**
 * What each owner and each lane has open (accepted but not finished), and how much an owner may
 * have. Counted in memory, since one process owns a store: the lanes are read once at start, and
 * every change is counted from then on. Never part of a commit, or the exports of one owner would
 * wait for each other's commits.
 */
import { Counts } from "../counts.ts";
import { keys } from "./keys.ts";
import { leasesOf } from "./lanes.ts";
import type { Full } from "./ledger.ts";
import { readStored } from "./look_up.ts";
import { decodePlace } from "./stored.ts";

/** What is open, or may be. */
export interface OpenAmount {
  readonly exports: number;
  readonly bytes: number;
}

/** What is counted of an export. */
export interface Counted {
  readonly owner: string;
  readonly lane: string;
  readonly payload: { readonly bytes: number };
}

const NOTHING: OpenAmount = { exports: 0, bytes: 0 };

export class OpenExports {
  readonly #max: OpenAmount;
  readonly #byOwner = new Map<string, OpenAmount>();
  readonly #byLane = new Counts();
  /** Lanes that may hold more than is counted, and since which event. */
  readonly #doubtful = new Map<string, number>();
  /** Acceptances in progress, by lane. */
  readonly #accepting = new Counts();
  #events = 0;

  constructor(max: OpenAmount) {
    this.#max = max;
  }

  /** What all owners have open together. */
  total(): OpenAmount {
    let [exports, bytes] = [0, 0];
    for (const open of this.#byOwner.values()) {
      exports += open.exports;
      bytes += open.bytes;
    }
    return { exports, bytes };
  }

  of(owner: string): OpenAmount {
    return this.#byOwner.get(owner) ?? NOTHING;
  }

  /** Whether the lane is empty and nothing is about to join it. */
  isEmpty(lane: string): boolean {
    return this.#byLane.of(lane) === 0 && !this.#doubtful.has(lane);
  }

  /** Whether exactly one export is in the lane. */
  isAlone(lane: string): boolean {
    return this.#byLane.of(lane) === 1 && !this.#doubtful.has(lane);
  }

  /** Since which event the lane is in doubt, if it is; for {@link foundEmpty}. */
  doubtSince(lane: string): number | undefined {
    return this.#doubtful.get(lane);
  }

  /** The acceptance that {@link begin} counted is over. */
  end({ lane }: Counted): void {
    this.#accepting.add(lane, -1);
    // A read that began before this commit may have missed it.
    if (this.#doubtful.has(lane)) this.#doubtful.set(lane, ++this.#events);
  }

  /** A read begun at `doubt` found the lane empty: the doubt ends, unless it was renewed since. */
  foundEmpty(lane: string, doubt: number | undefined): void {
    if (doubt === undefined || this.#doubtful.get(lane) !== doubt) return;
    if (this.#accepting.of(lane) > 0) return;
    this.#doubtful.delete(lane);
    this.#byLane.clear(lane);
  }

  /** Counts an export that is about to be accepted, unless it is over a limit. */
  begin(record: Counted): Full | undefined {
    const { exports, bytes } = this.of(record.owner);
    const left = { exports: this.#max.exports - exports, bytes: this.#max.bytes - bytes };
    const of = left.exports < 1
      ? "exports"
      : left.bytes < record.payload.bytes
      ? "bytes"
      : undefined;
    // After a limit was lowered, more may be open than it permits.
    if (of !== undefined) {
      return { kind: "full", of, max: this.#max[of], left: Math.max(0, left[of]) };
    }
    const { lane } = record;
    this.#accepting.add(lane, 1);
    this.add(record);
    return undefined;
  }

  add(record: Counted): void {
    this.#change(record, 1);
  }

  /** An export is finished. */
  remove(record: Counted): void {
    this.#change(record, -1);
  }

  /**
   * The commit that was to accept it reported a failure. It may have succeeded all the same, so the
   * lane is in doubt until it is read.
   */
  failed(record: Counted): void {
    this.#doubtful.set(record.lane, ++this.#events);
    this.#change(record, -1);
  }

  #change({ owner, lane, payload }: Counted, sign: 1 | -1): void {
    const { exports, bytes } = this.of(owner);
    const next = {
      // A store whose answers are lost may have committed what it denied; the next start recounts.
      exports: Math.max(0, exports + sign),
      bytes: Math.max(0, bytes + sign * payload.bytes),
    };
    if (next.exports === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, next);
    this.#byLane.add(lane, sign);
  }
}

/** Counts everything unfinished from the places; only exports without one are read. */
export async function countOpen(kv: Deno.Kv, max: OpenAmount): Promise<OpenExports> {
  const open = new OpenExports(max);
  for await (
    const { key, value } of kv.list<Uint8Array>({ prefix: keys.places() }, { batchSize: 500 })
  ) {
    // Places written by earlier versions have an empty value.
    const counted = value.byteLength > 0
      ? { lane: String(key[1]), ...decodePlace(value) }
      : (await readStored(kv, keys.export(String(key.at(-1)))))?.record;
    if (counted !== undefined) open.add(counted);
  }
  for await (const { id } of leasesOf(kv)) {
    const stored = await readStored(kv, keys.export(id));
    if (stored?.hasPlace === false) open.add(stored.record);
  }
  return open;
}
