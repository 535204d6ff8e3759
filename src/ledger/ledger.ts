/**
 * The port of the store: promises that survive a crash. Every method that changes something is one
 * commit: record, payload or answer, lane, lease, ledger entries and wake-up stand or fall together.
 */
import type { Change } from "../exports/export.ts";
import type { Delivering, ExportRecord, Finished, Lease, Pending } from "../exports/record.ts";
import type { LedgerEntry } from "../exports/ledger_entry.ts";

/** A lane's head as it was read: what may be changed, and the proof that nobody did meanwhile. */
export interface Held<R extends ExportRecord = ExportRecord> {
  readonly record: R;
  readonly lease: Lease | undefined;
  /** The adapter's own; all of it must be unchanged for a change to be committed. */
  readonly stored: Stored;
}

/** How an export lies in the store. */
export interface Layout {
  /** Place in the lane. */
  readonly order: number;
  /** Whether a key of the lane tells of that place; see `lanes.ts`. */
  readonly hasPlace: boolean;
  /** The first bytes of its payload, or of its answer once it is finished. */
  readonly first: Uint8Array;
  /** How many parts the rest of it lies in. */
  readonly parts: number;
}

/** A layout, and the versions that it was read at. */
export interface Stored extends Layout {
  readonly versions: { readonly record: string; readonly lease: string | null };
}

/** The export behind one that is being settled, and how it is claimed. */
export interface Follower {
  readonly held: Held;
  readonly claim: Change<Delivering>;
}

/** What a change brings along in its commit. */
export interface ChangeOptions {
  /** The destination's answer. */
  readonly answer?: Uint8Array;
  /** Claimed in the same commit; only where the export before it is finished. */
  readonly follower?: Follower | undefined;
}

/** What was changed; `follower` if it was claimed. */
export interface Changed<R extends ExportRecord> extends Held<R> {
  readonly follower?: Held<Delivering>;
}

/** A client's `Idempotency-Key`, bound to its owner and to what it first came with. */
export interface Idempotency {
  readonly key: string;
  /** Digest of `uri` and `data`: the same key with another one is a conflict. */
  readonly fingerprint: string;
  readonly expiresAt: number;
}

/** What an acceptance may bring besides the export. */
export interface AcceptOptions {
  readonly idempotency?: Idempotency | undefined;
  /** Claims the export in the same commit, if nothing stands before it in its lane. */
  readonly claim?: Change<Delivering> | undefined;
}

/** What came of an acceptance; `replayed` names the export that the same key opened before. */
export type Acceptance =
  /** `claimed` if it was claimed, too. */
  | { readonly kind: "accepted"; readonly claimed?: Held<Delivering> }
  | { readonly kind: "replayed"; readonly id: string }
  | { readonly kind: "conflict" }
  | Full
  | OverQuota;

/** The owner has too much accepted and not finished; `left` is what they may still add of it. */
export interface Full {
  readonly kind: "full";
  readonly of: "exports" | "bytes";
  readonly max: number;
  readonly left: number;
}

/** The owner's exports have left more in the store than a day's bytes; one more may come after `waitMs`. */
export interface OverQuota {
  readonly kind: "over_quota";
  readonly bytesPerDay: number;
  readonly waitMs: number;
}

/** Hears of one export that is watched. Must not throw: it may be told within a commit's answer. */
export interface RecordListener {
  /** The record as it is now; `undefined` while there is none. */
  tell(record: ExportRecord | undefined): void;
  /** Nothing more will be told: whoever wants to know must read. */
  end(): void;
}

/** Whether whoever asks may see an export. */
export type MayRead = (record: ExportRecord) => boolean;

/** The store as the other rooms see it. Any method rejects when the store fails; nothing is half done then. */
export interface Ledger {
  /** Opens an export. */
  accept(
    change: Change<Pending>,
    payload: Uint8Array,
    options?: AcceptOptions,
  ): Promise<Acceptance>;
  /**
   * The export of that id, unless unknown, past its retention, or not for the reader. Time does not
   * tell which of these it was.
   */
  find(id: string, mayRead: MayRead): Promise<ExportRecord | undefined>;
  /** The bytes to deliver of what is held; kept until the export is finished. */
  payload(held: Held): Promise<Uint8Array>;
  /** The destination's answer. */
  answer(record: Finished): Promise<Uint8Array>;
  /** The oldest unfinished export of a lane. */
  head(lane: string): Promise<Held | undefined>;
  /** The export that stands next in the lane after what is held. */
  behind(held: Held): Promise<Held | undefined>;
  /** Commits a change of what is held, or returns `undefined` if somebody else changed it first. */
  change<R extends ExportRecord>(
    held: Held,
    change: Change<R>,
    options?: ChangeOptions,
  ): Promise<Changed<R> | undefined>;
  /** Every lane with unfinished exports. */
  lanes(): AsyncIterable<string>;
  /** Tells `listener` of the record now and at each change; the returned function stops that. */
  watch(id: string, listener: RecordListener): () => void;
  /** Records an entry that changes nothing else. */
  enter(entry: LedgerEntry): Promise<void>;
  /** Proves that the store takes writes. */
  probe(): Promise<void>;
}

/** A method of the ledger has rejected; `cause` says with what. To try again may help. */
export class StoreFailed extends Error {
  override readonly name = "StoreFailed";

  constructor(cause: unknown) {
    super("The store failed", { cause });
  }
}

/** @throws {StoreFailed} whatever the ledger rejects with */
export function fromStore<T>(answer: Promise<T>): Promise<T> {
  return answer.catch((cause) => {
    throw new StoreFailed(cause);
  });
}
