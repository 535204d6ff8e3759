/**
 * Concurrent changes share one commit, because a commit costs one fsync whatever it holds. Each
 * caller waits for the commit that holds its change. Order is kept, and a change that cannot be
 * committed fails alone. Also the only writer of the instance's chain.
 */
import type { Bell } from "./bell.ts";
import { type ChainHead, emptyChain, link } from "./chain.ts";
import { add, type Batch, exceeds, RESERVED, type Size, sizeOf } from "./batch.ts";
import { keys } from "./keys.ts";
import { pagesOf } from "./pages.ts";

/** Versionstamp of everything written, or `undefined` if a check failed and nothing was written. */
export type Committed = string | undefined;

interface Waiting {
  readonly batch: Batch;
  readonly size: Size;
  readonly resolve: (committed: Committed) => void;
  readonly reject: (reason: unknown) => void;
}

/** The chain's end as the store has it. */
interface StoredHead extends ChainHead {
  /** Highest place in a lane ever handed out. */
  readonly order: number;
  readonly versionstamp: string | null;
}

export class GroupCommit {
  readonly #kv: Deno.Kv;
  readonly #bell: Bell;
  readonly #instance: string;
  readonly #marks: Readonly<Record<string, true>>;
  #queue: Waiting[] = [];
  #head: StoredHead | undefined;
  #running: Promise<void> | undefined;
  /** Where the chain ends if the last commit succeeded, and how to ring its wake-ups then. */
  #tried: { readonly hash: string; readonly ring: () => void } | undefined;

  constructor(parts: {
    readonly kv: Deno.Kv;
    readonly bell: Bell;
    readonly instance: string;
    readonly marks: Readonly<Record<string, true>>;
  }) {
    this.#kv = parts.kv;
    this.#bell = parts.bell;
    this.#instance = parts.instance;
    this.#marks = parts.marks;
  }

  /** Commits `batch`, in the order of the calls; rejects when the store fails. */
  commit(batch: Batch): Promise<Committed> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ batch, size: sizeOf(batch), resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Highest place in a lane handed out by any run on this store. */
  async lastOrder(): Promise<number> {
    return (await this.#readHead()).order;
  }

  /** Resolves when nothing waits to be committed. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    // One microtask turn lets every caller that is ready join.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const shared = takeFitting(this.#queue);
      this.#queue = this.#queue.slice(shared.length);
      await this.#commitAll(shared);
    }
    this.#running = undefined;
  }

  /** Commits together; if that fails, one by one, so that each learns its own outcome. */
  async #commitAll(shared: readonly Waiting[]): Promise<void> {
    if (shared.length > 1) {
      const committed = await this.#tryCommit(shared).catch(() => undefined);
      const held = committed ?? await this.#heldUnseen();
      if (held !== undefined) return shared.forEach(({ resolve }) => resolve(held));
    }
    for (const one of shared) {
      await this.#commitAlone(one).then(one.resolve, one.reject);
    }
  }

  /** A commit that reported an error may have succeeded even if it could not be verified then. */
  async #heldUnseen(): Promise<Committed> {
    const stored = await this.#readHead().catch(() => undefined);
    if (stored === undefined || stored.hash !== this.#tried?.hash) return undefined;
    this.#tried.ring();
    return stored.versionstamp ?? undefined;
  }

  /** A commit may also fail because the chain has moved on; then it is retried on the new head. */
  async #commitAlone(one: Waiting): Promise<Committed> {
    for (;;) {
      const before = await this.#readHead();
      const committed = await this.#tryCommit([one]);
      if (committed !== undefined) return committed;
      const after = await this.#readHead();
      if (after.versionstamp === before.versionstamp) return undefined;
    }
  }

  async #tryCommit(shared: readonly Waiting[]): Promise<Committed> {
    this.#tried = undefined;
    const stored = await this.#readHead();
    const commit = this.#kv.atomic();
    for (const { batch } of shared) addTo(commit, batch);
    const head = this.#chain(commit, stored, shared);
    const ring = this.#bell.arm(commit, shared.flatMap(({ batch }) => batch.wakeUps ?? []));
    this.#tried = head === stored ? undefined : { hash: head.hash, ring };
    // Unknown until the store has answered: a commit that reports failure may still have succeeded.
    this.#head = undefined;
    const versionstamp = await commit.commit().then(
      (result) => result.ok ? result.versionstamp : undefined,
      (error) => this.#wentThrough(head, stored, error),
    );
    if (versionstamp === undefined) return undefined;
    this.#head = head === stored ? stored : { ...head, versionstamp };
    ring();
    return versionstamp;
  }

  /** A commit that reported an error did succeed if the chain now ends where it would have led. */
  async #wentThrough(head: ChainHead, before: ChainHead, error: unknown): Promise<Committed> {
    const stored = await this.#readHead();
    this.#head = undefined;
    if (stored.hash === head.hash && head.hash !== before.hash && stored.versionstamp !== null) {
      return stored.versionstamp;
    }
    throw error;
  }

  /** Adds the entries of `shared` to the commit, each linked to the one before it. */
  #chain(commit: Deno.AtomicOperation, stored: StoredHead, shared: readonly Waiting[]) {
    const entries = shared.flatMap(({ batch }) => batch.entries ?? []);
    if (entries.length === 0) return stored;
    let head: ChainHead = stored;
    const linked = entries.map((entry) => {
      const next = link(head, entry, this.#marks);
      head = next.head;
      return { seq: head.seq, bytes: next.bytes };
    });
    for (const { seq, bytes } of pagesOf(linked)) {
      commit.set(keys.page(this.#instance, seq), bytes);
    }
    const order = Math.max(stored.order, ...shared.map(({ batch }) => batch.order ?? 0));
    const key = keys.chain(this.#instance);
    commit.check({ key, versionstamp: stored.versionstamp }).set(key, { ...head, order });
    return { ...head, order };
  }

  async #readHead(): Promise<StoredHead> {
    if (this.#head !== undefined) return this.#head;
    const { value, versionstamp } = await this.#kv.get<Omit<StoredHead, "versionstamp">>(
      keys.chain(this.#instance),
    );
    return this.#head = { order: 0, ...value ?? emptyChain(this.#instance), versionstamp };
  }
}

function addTo(commit: Deno.AtomicOperation, { checks = [], sets = [], deletes = [] }: Batch) {
  commit.check(...checks);
  for (const { key, value, expireIn } of sets) {
    commit.set(key, value, expireIn === undefined ? {} : { expireIn });
  }
  for (const key of deletes) commit.delete(key);
}

/**
 * As many of the first changes as one commit can hold, at least one. A change that checks a key
 * which an earlier one checks waits for the next commit: a writer of a contended key also checks
 * it, and the later change must see that write.
 */
function takeFitting(queue: readonly Waiting[]): Waiting[] {
  const taken: Waiting[] = [];
  const checked = new Set<string>();
  let sum = RESERVED;
  for (const waiting of queue) {
    sum = add(sum, waiting.size);
    const checks = (waiting.batch.checks ?? []).map(({ key }) => JSON.stringify(key));
    if (taken.length > 0 && (exceeds(sum) || checks.some((key) => checked.has(key)))) break;
    checks.forEach((key) => checked.add(key));
    taken.push(waiting);
  }
  return taken;
}
