/**
 * The ledger on Deno KV. Knows keys, parts, checks and commits; what an export may become is
 * decided elsewhere and arrives as a {@link Change}.
 */
import type { Clock } from "../clock.ts";
import { type Change, wakeUpAt } from "../exports/export.ts";
import type { ExportRecord, Finished, Pending } from "../exports/record.ts";
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import { EXPIRY_SPREAD_MS, PARTS_IN_COMMIT } from "../limits.ts";
import type { Bell } from "./bell.ts";
import { noteFormat, requireFormat } from "./format.ts";
import { type Batch, type Committed, GroupCommit } from "./group_commit.ts";
import { keyUse } from "./idempotency.ts";
import { keys } from "./keys.ts";
import { headOf, lanesOf } from "./lanes.ts";
import type { Acceptance, Held, Idempotency, Ledger } from "./ledger.ts";
import { partCount, partsOf, readParts } from "./parts.ts";
import { abandon, stage, sweepStaged, writeParts } from "./staging.ts";
import { decodeExport, encodeExport, encodeLease } from "./stored.ts";

/** What a ledger on KV is made of. */
export interface KvLedgerParts {
  readonly kv: Deno.Kv;
  readonly bell: Bell;
  readonly clock: Clock;
  /** Uniform in [0, 1); spreads expiries. */
  readonly random: () => number;
  /** Name of the store's chain, see {@link instanceOf}. */
  readonly instance: string;
  /** Set on every ledger entry, e.g. that loopback is open. */
  readonly marks: Readonly<Record<string, true>>;
}

/** The store's own name; `candidate` becomes it if it has none. */
export async function instanceOf(kv: Deno.Kv, candidate: string): Promise<string> {
  const key = keys.instance();
  await kv.atomic().check({ key, versionstamp: null }).set(key, candidate).commit();
  const { value } = await kv.get<string>(key);
  return value ?? candidate;
}

/**
 * Opens the ledger on a store; reads where the places in lanes left off.
 *
 * @throws if a newer version wrote the store
 */
export async function openKvLedger(parts: KvLedgerParts): Promise<KvLedger> {
  await requireFormat(parts.kv);
  await noteFormat(parts.kv);
  const commits = new GroupCommit(parts);
  return new KvLedger(parts, commits, await commits.lastOrder());
}

const NOTHING = new Uint8Array();

export class KvLedger implements Ledger {
  readonly #kv: Deno.Kv;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #commits: GroupCommit;
  #lastOrder: number;

  constructor({ kv, clock, random }: KvLedgerParts, commits: GroupCommit, lastOrder: number) {
    this.#kv = kv;
    this.#clock = clock;
    this.#random = random;
    this.#commits = commits;
    this.#lastOrder = lastOrder;
  }

  async accept(
    change: Change<Pending>,
    payload: Uint8Array,
    idempotency?: Idempotency,
  ): Promise<Acceptance> {
    const { record } = change;
    const use = await keyUse(this.#kv, record, idempotency, this.#clock.now());
    if (use.kind !== "new") return use;
    const parts = partsOf(payload);
    const commit = parts.length > PARTS_IN_COMMIT
      ? this.#acceptStaged(change, parts, use.claim)
      : this.#commits.commit(this.#acceptance(change, {
        checks: use.claim.checks,
        sets: [
          ...parts.map((value, n) => ({ key: keys.payload(record.id, n), value })),
          ...use.claim.sets,
        ],
      }));
    if (await commit !== undefined) return { kind: "accepted" };
    if (idempotency === undefined) throw new Error(`Cannot accept ${record.id}: the id is taken`);
    // Another submission claimed the key meanwhile; now it is known.
    return this.accept(change, payload, idempotency);
  }

  async #acceptStaged(
    change: Change<Pending>,
    parts: readonly Uint8Array[],
    claim: Required<Pick<Batch, "checks" | "sets">>,
  ): Promise<Committed> {
    const { id } = change.record;
    let committed: Committed;
    try {
      const marker = await stage(this.#kv, id, parts, this.#clock.now());
      committed = await this.#commits.commit(this.#acceptance(change, {
        checks: [marker, ...claim.checks],
        sets: claim.sets,
        deletes: [marker.key],
      }));
    } finally {
      // What was accepted has no marker any more, and is left alone.
      if (committed === undefined) await abandon(this.#kv, id).catch(() => {});
    }
    return committed;
  }

  /** The accepting commit; `more` is what the size of the payload and the client's key add to it. */
  #acceptance(change: Change<Pending>, more: Batch): Batch {
    const { record, entries } = change;
    // Later than any place handed out before, whatever the clock says.
    const order = this.#lastOrder = Math.max(this.#clock.now() * 1_000, this.#lastOrder + 1);
    return {
      checks: [{ key: keys.export(record.id), versionstamp: null }, ...more.checks ?? []],
      sets: [
        { key: keys.export(record.id), value: encodeExport(order, record) },
        { key: keys.lane(record.lane, order, record.id), value: NOTHING },
        ...more.sets ?? [],
      ],
      deletes: more.deletes ?? [],
      entries,
      wakeUps: [{ lane: record.lane, at: wakeUpAt(change) }],
      order,
    };
  }

  async find(id: string, now: number): Promise<ExportRecord | undefined> {
    const { value } = await this.#kv.get<Uint8Array>(keys.export(id));
    return value === null ? undefined : unexpired(decodeExport(value).record, now);
  }

  payload({ id, payload }: ExportRecord): Promise<Uint8Array> {
    return readParts(this.#kv, payload.bytes, (n) => keys.payload(id, n));
  }

  answer({ id, attempts, result }: Finished): Promise<Uint8Array> {
    const bytes = result.kind === "answered" ? result.answerBytes : 0;
    return readParts(this.#kv, bytes, (n) => keys.answer(id, attempts, n));
  }

  head(lane: string): Promise<Held | undefined> {
    return headOf(this.#kv, lane);
  }

  async change<R extends ExportRecord>(
    { versions }: Held,
    change: Change<R>,
    answer: Uint8Array = NOTHING,
  ): Promise<Held<R> | undefined> {
    const { record, lease, entries } = change;
    const { id, lane } = record;
    const leaseKey = keys.lease(lane);
    const finish = record.state === "finished"
      ? await this.#finish(record, versions.order, answer)
      : { sets: [], deletes: [], expiry: {} };
    const committed = await this.#commits.commit({
      checks: [
        { key: keys.export(id), versionstamp: versions.record },
        { key: leaseKey, versionstamp: versions.lease },
      ],
      sets: [
        { key: keys.export(id), value: encodeExport(versions.order, record), ...finish.expiry },
        ...lease === undefined ? [] : [{ key: leaseKey, value: encodeLease(lease) }],
        ...finish.sets,
      ],
      deletes: [...lease === undefined ? [leaseKey] : [], ...finish.deletes],
      entries,
      wakeUps: [{ lane, at: wakeUpAt(change) }],
    });
    if (committed === undefined) return undefined;
    const leaseVersion = lease === undefined ? null : committed;
    return {
      record,
      lease,
      versions: { record: committed, lease: leaseVersion, order: versions.order },
    };
  }

  /** What finishing adds: the answer stays for a time, place and payload go. */
  async #finish(record: Finished, order: number, answer: Uint8Array) {
    const { id, lane, attempts, payload } = record;
    const expireIn = Math.round(
      record.expiresAt - record.finishedAt + EXPIRY_SPREAD_MS * this.#random(),
    );
    const parts = partsOf(answer).map((value, n) => ({
      key: keys.answer(id, attempts, n),
      value,
      expireIn,
    }));
    const large = parts.length > PARTS_IN_COMMIT;
    // An answer that is written but never settled goes with its expiry.
    if (large) await writeParts(this.#kv, parts);
    return {
      sets: large ? [] : parts,
      deletes: [
        keys.lane(lane, order, id),
        ...Array.from({ length: partCount(payload.bytes) }, (_, n) => keys.payload(id, n)),
      ],
      expiry: { expireIn },
    };
  }

  lanes(): AsyncIterable<string> {
    return lanesOf(this.#kv);
  }

  watch(id: string): ReadableStream<ExportRecord | undefined> {
    return this.#kv.watch<[Uint8Array]>([keys.export(id)]).pipeThrough(
      new TransformStream({
        transform([{ value }], controller) {
          controller.enqueue(value === null ? undefined : decodeExport(value).record);
        },
      }),
    );
  }

  async enter(entry: LedgerEntry): Promise<void> {
    await this.#commits.commit({ entries: [entry] });
  }

  async probe(): Promise<void> {
    await this.#kv.set(keys.probe(), this.#clock.now());
  }

  /** Resolves when every commit that was asked for has been answered. */
  close(): Promise<void> {
    return this.#commits.idle();
  }

  /** Removes what was staged and never accepted; answers how many. */
  sweep(): Promise<number> {
    return sweepStaged(this.#kv, this.#clock.now());
  }
}

function unexpired(record: ExportRecord, now: number): ExportRecord | undefined {
  return record.state === "finished" && record.expiresAt <= now ? undefined : record;
}
