/**
 * The ledger on Deno KV. Knows keys, parts, checks and commits; what an export may become is
 * decided elsewhere and arrives as a {@link Change}.
 */
import type { Clock } from "../clock.ts";
import type { Change } from "../exports/export.ts";
import type { Delivering, ExportRecord, Finished, Pending } from "../exports/record.ts";
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import { Acceptor } from "./acceptor.ts";
import type { Batch } from "./batch.ts";
import type { Bell } from "./bell.ts";
import { changeOf, finishing } from "./changing.ts";
import { expiries } from "./expiries.ts";
import type { Committed, GroupCommit } from "./group_commit.ts";
import { keys } from "./keys.ts";
import { behindOf, headOf, lanesOf } from "./lanes.ts";
import { heldAfter } from "./layout.ts";
import type {
  Acceptance,
  AcceptOptions,
  Held,
  Ledger,
  MayRead,
  RecordListener,
  Settled,
  SettleOptions,
} from "./ledger.ts";
import { answerOf, findExport, isStored } from "./look_up.ts";
import type { OpenAmount, OpenExports } from "./open_exports.ts";
import { assertUnaltered, readContent } from "./parts.ts";
import { FRONT, NextInLane } from "./next_in_lane.ts";
import { Recent } from "./recent.ts";
import { assertStorage, type Storage } from "./storage.ts";
import { bytesOfEntries, StorageQuota } from "./storage_quota.ts";
import { sweepStaged } from "./staging.ts";
import { watchStored } from "./watch_stored.ts";

/** The parts of a ledger on KV. */
export interface KvLedgerParts {
  readonly kv: Deno.Kv;
  readonly bell: Bell;
  readonly clock: Clock;
  /** Uniform in [0, 1); spreads expiries. */
  readonly random: () => number;
  /** Name of the store's chain, made at its first opening. */
  readonly instance: string;
  readonly storage: Storage;
  /** Set on every ledger entry, e.g. to show that loopback is open. */
  readonly marks: Readonly<Record<string, true>>;
  /** The most that one owner may have accepted and not finished. */
  readonly openMax: OpenAmount;
  /** Bytes that the exports of one owner may leave in the store in a day. */
  readonly storedBytesPerDay: number;
}

export class KvLedger implements Ledger {
  readonly #kv: Deno.Kv;
  readonly #clock: Clock;
  readonly #spread: () => number;
  readonly #commits: GroupCommit;
  readonly #storage: Storage;
  readonly #open: OpenExports;
  readonly #quota: StorageQuota;
  readonly #recent = new Recent();
  readonly #nextInLane = new NextInLane();
  /** Held exports that are finished and no longer counted as open. */
  readonly #finished = new WeakSet<Held>();
  readonly #acceptor: Acceptor;

  constructor(
    { kv, clock, random, storage, storedBytesPerDay }: KvLedgerParts,
    { commits, open, nextOrder }: {
      readonly commits: GroupCommit;
      readonly open: OpenExports;
      readonly nextOrder: () => number;
    },
  ) {
    this.#kv = kv;
    this.#clock = clock;
    this.#spread = expiries(clock, random);
    this.#storage = storage;
    this.#commits = commits;
    this.#open = open;
    const quota = this.#quota = new StorageQuota(storedBytesPerDay);
    const [recent, nextInLane] = [this.#recent, this.#nextInLane];
    const shared = { kv, commits, clock, open, quota, recent, nextInLane };
    this.#acceptor = new Acceptor({ ...shared, nextOrder });
  }

  /** What is accepted and not finished. */
  openTotal(): OpenAmount {
    return this.#open.total();
  }

  async accept(
    change: Change<Pending>,
    payload: Uint8Array,
    options: AcceptOptions = {},
  ): Promise<Acceptance> {
    assertStorage(await this.#storage(payload.byteLength), "accept");
    return await this.#acceptor.accept(change, payload, options);
  }

  find(id: string, mayRead: MayRead): Promise<ExportRecord | undefined> {
    return findExport(this.#kv, this.#recent, id, { now: this.#clock.now(), mayRead });
  }

  async payload(held: Held): Promise<Uint8Array> {
    const { record, stored } = held;
    const kept = this.#nextInLane.payload(held);
    if (kept !== undefined) return kept;
    const { id, payload: { bytes } } = record;
    const read = await readContent(this.#kv, stored, bytes, (n) => keys.payload(id, n));
    assertUnaltered(read, record);
    return read;
  }

  async answer(record: Finished): Promise<Uint8Array> {
    return this.#recent.answer(record) ?? await answerOf(this.#kv, record);
  }

  async head(lane: string): Promise<Held | undefined> {
    // A repeated wake-up: one is committed with every claim, and most are over by then.
    if (this.#open.isEmpty(lane)) return undefined;
    const nextInLane = this.#nextInLane.behind(lane, FRONT);
    if (nextInLane !== undefined) return nextInLane;
    const doubt = this.#open.doubtSince(lane);
    const head = await headOf(this.#kv, lane);
    if (head === undefined) this.#open.foundEmpty(lane, doubt);
    if (this.#open.isEmpty(lane)) this.#nextInLane.leave(lane);
    return head;
  }

  async behind(held: Held): Promise<Held | undefined> {
    const { record: { lane }, stored: { order } } = held;
    if (this.#open.isAlone(lane)) return undefined;
    return this.#nextInLane.behind(lane, order) ?? await behindOf(this.#kv, held);
  }

  async claim(held: Held, change: Change<Delivering>): Promise<Held<Delivering> | undefined> {
    assertStorage(await this.#storage(), "claim");
    this.#nextInLane.forget(change.record.lane, FRONT);
    const committed = await this.#commit(changeOf(held, change), [change.record.id]);
    if (committed === undefined) return undefined;
    this.#note(change);
    return heldAfter(change, held.stored, committed);
  }

  async settle(
    held: Held,
    change: Change<Pending | Finished>,
    { answer = NO_ANSWER, follower }: SettleOptions = {},
  ): Promise<Settled | undefined> {
    const { record } = change;
    const { id, lane } = record;
    const { stored } = held;
    const kept = record.state === "finished" ? answer : NO_ANSWER;
    assertStorage(await this.#storage(kept.byteLength), follower ? "claim" : "settle");
    this.#nextInLane.forget(lane, FRONT);
    if (follower !== undefined) this.#nextInLane.forget(lane, stored.order);
    const finish = record.state === "finished"
      ? await finishing(this.#kv, record, { stored, answer, spreadMs: this.#spread() })
      : undefined;
    // A later submission wakes the lane itself.
    const isLast = finish !== undefined && this.#open.isAlone(lane);
    const batch = changeOf(held, change, { finish, follower, isLast });
    const ids = follower === undefined ? [id] : [id, follower.claim.record.id];
    const committed = await this.#commit(batch, ids);
    if (record.state === "finished") await this.#noteEnd(held, record, committed);
    if (committed === undefined) return undefined;
    this.#note(change, kept);
    if (follower === undefined) return { claimed: undefined };
    this.#note(follower.claim);
    return { claimed: heldAfter(follower.claim, follower.held.stored, committed) };
  }

  /** Commits `batch`; unless that surely succeeded, forgets the cached states of these ids. */
  async #commit(batch: Batch, ids: readonly string[]): Promise<Committed> {
    let committed: Committed;
    try {
      return committed = await this.#commits.commit(batch);
    } finally {
      if (committed === undefined) { for (const id of ids) this.#recent.lose(id); }
    }
  }

  /** A change is committed: counts what it has left in the store, and keeps its state for polls. */
  #note({ record, entries }: Change, answer: Uint8Array = NO_ANSWER): void {
    const bytes = bytesOfEntries(entries) + answer.byteLength;
    this.#quota.add(record.owner, bytes, this.#clock.now());
    this.#recent.note(record, answer);
  }

  /** A finished export is no longer open; a denied commit may have succeeded, now or earlier. */
  async #noteEnd(held: Held, record: Finished, committed: Committed): Promise<void> {
    if (this.#finished.has(held)) return;
    if (committed === undefined && !await isStored(this.#kv, record)) return;
    const { lane } = record;
    this.#finished.add(held);
    this.#open.remove(record);
    this.#nextInLane.advance(lane, held.stored.order);
    if (this.#open.isEmpty(lane)) this.#nextInLane.leave(lane);
  }

  lanes(): AsyncIterable<string> {
    return lanesOf(this.#kv);
  }

  watch(id: string, listener: RecordListener): () => void {
    const record = this.#recent.record(id);
    return record === undefined
      ? this.#recent.watchedElsewhere(id, watchStored(this.#kv, id, listener))
      : this.#recent.watch(id, record, listener);
  }

  async enter(entry: LedgerEntry): Promise<void> {
    assertStorage(await this.#storage(), "accept");
    await this.#commits.commit({ entries: [entry] });
  }

  async probe(): Promise<void> {
    assertStorage(await this.#storage(), "accept");
    await this.#kv.set(keys.probe(), this.#clock.now());
  }

  /** Resolves when every requested commit is done. */
  close(): Promise<void> {
    return this.#commits.idle();
  }

  /** Removes what was staged and never accepted; returns how many. */
  sweep(): Promise<number> {
    return sweepStaged(this.#kv, this.#clock.now());
  }
}

const NO_ANSWER = new Uint8Array();
