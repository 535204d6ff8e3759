/**
 * The port of the store: promises that survive a crash. Every method that changes something is one
 * commit: record, payload or answer, lane, lease, entries and wake-up stand or fall together.
 */
import type { Change } from "../exports/export.ts";
import type { Delivering, ExportRecord, Finished, Lease, Pending } from "../exports/record.ts";
import type { LedgerEntry } from "../exports/ledger_entry.ts";
import type { Stored } from "./stored.ts";

/** A lane's head as read: what may be changed, and the versions that prove it unchanged. */
export interface Held<R extends ExportRecord = ExportRecord> {
  readonly record: R;
  readonly lease: Lease | undefined;
  /** Private to the adapter; a change is committed only if all of it is still current. */
  readonly stored: Stored;
}

/** The export behind one that is being settled, and its claim. */
export interface Follower {
  readonly held: Held;
  readonly claim: Change<Delivering>;
}

/** What a settlement may include besides the export. */
export interface SettleOptions {
  /** The destination's answer; not kept unless the export is finished. */
  readonly answer?: Uint8Array;
  /** Claimed in the same commit; only if the settlement finishes the export before it. */
  readonly follower?: Follower | undefined;
}

/** The result of a settlement. */
export interface Settled {
  /** The follower, if there was one. */
  readonly claimed: Held<Delivering> | undefined;
}

/** A client's `Idempotency-Key`, bound to its owner and to the content it first came with. */
export interface Idempotency {
  readonly key: string;
  /** Digest of `uri` and `data`: the same key with another digest is a conflict. */
  readonly fingerprint: string;
  readonly expiresAt: number;
}

/** What an acceptance may include besides the export. */
export interface AcceptOptions {
  readonly idempotency?: Idempotency | undefined;
  /** Claims the export in the same commit, if nothing is before it in its lane. */
  readonly claim?: Change<Delivering> | undefined;
}

/** The result of an acceptance; `replayed` names the export that the same key opened before. */
export type Acceptance =
  /** With `claimed` if it was also claimed. */
  | { readonly kind: "accepted"; readonly claimed?: Held<Delivering> }
  | { readonly kind: "replayed"; readonly id: string }
  | { readonly kind: "conflict" }
  | Full
  | OverQuota;

/** The owner has too much accepted but not finished; `left` is how much more they may add. */
export interface Full {
  readonly kind: "full";
  readonly of: "exports" | "bytes";
  readonly max: number;
  readonly left: number;
}

/** The owner's exports have stored more than a day's quota; the next may come after `waitMs`. */
export interface OverQuota {
  readonly kind: "over_quota";
  readonly bytesPerDay: number;
  readonly waitMs: number;
}

/** Listens to one watched export. Must not throw: it may be called while a commit is completed. */
export interface RecordListener {
  /** Called with the current record, once there is one. */
  tell(record: ExportRecord): void;
  /** No more calls follow: later states must be read. */
  end(): void;
}

/** Whether the caller may see an export. */
export type MayRead = (record: ExportRecord) => boolean;

/** The store as other rooms see it. If it fails, a method rejects and leaves nothing half done. */
export interface Ledger {
  /** Opens an export. */
  accept(
    change: Change<Pending>,
    payload: Uint8Array,
    options?: AcceptOptions,
  ): Promise<Acceptance>;
  /**
   * The export with that id, unless it is unknown, past its retention, or not for the reader.
   * Timing does not reveal which of these it was.
   */
  find(id: string, mayRead: MayRead): Promise<ExportRecord | undefined>;
  /** The held export's bytes to deliver, kept until it is finished. May reject with {@link Damaged}. */
  payload(held: Held): Promise<Uint8Array>;
  /** The destination's answer. */
  answer(record: Finished): Promise<Uint8Array>;
  /** The oldest unfinished export of a lane. */
  head(lane: string): Promise<Held | undefined>;
  /** The next export in the lane after the held one. */
  behind(held: Held): Promise<Held | undefined>;
  /** Claims the held export for one attempt; returns `undefined` if it was changed meanwhile. */
  claim(held: Held, change: Change<Delivering>): Promise<Held<Delivering> | undefined>;
  /** Settles the held export's attempt; returns `undefined` if it was changed meanwhile. */
  settle(
    held: Held,
    change: Change<Pending | Finished>,
    options?: SettleOptions,
  ): Promise<Settled | undefined>;
  /** Every lane with unfinished exports. */
  lanes(): AsyncIterable<string>;
  /** Calls `listener` with the record now and at each change; the returned function stops that. */
  watch(id: string, listener: RecordListener): () => void;
  /** Records an entry that changes nothing else. */
  enter(entry: LedgerEntry): Promise<void>;
  /** Proves that the store accepts writes. */
  probe(): Promise<void>;
}

/** What is stored is not what was put there. Retrying does not help. */
export class Damaged extends Error {
  override readonly name = "Damaged";
}

/** A method of the ledger rejected with `cause`. Retrying may help. */
export class StoreFailed extends Error {
  override readonly name = "StoreFailed";

  constructor(cause: unknown) {
    super("The store failed", { cause });
  }
}

/** @throws {StoreFailed} with the ledger's rejection as its cause */
export function fromStore<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((cause) => {
    throw new StoreFailed(cause);
  });
}
