/**
 * Works the lanes: woken → claim → attempt → settle. Each lane is worked by one hand (a slot of the
 * worker) at a time, lanes in parallel. Needless wake-ups do no harm; what is due is in the ledger.
 * An export that comes to an idle lane is claimed as it is accepted, so that no wake-up is needed.
 */
import { claimExport, turnOf } from "../exports/claim.ts";
import type { Delivering, Outcome, Pending } from "../exports/record.ts";
import { hostAndPathOf } from "../exports/ledger_entry.ts";
import {
  type Acceptance,
  fromStore,
  type Held,
  type Ledger,
  StoreFailed,
} from "../ledger/ledger.ts";
import { framesOf } from "../log.ts";
import { LOOKS_MAX, STORE_RETRY_MS } from "../limits.ts";
import {
  deliver,
  type DeliveryParts,
  giveUp,
  logLapse,
  turnFacts,
  type WorkerContext,
} from "./delivery.ts";
import { payloadOf } from "./payload.ts";
import { HostHealth } from "./host_health.ts";
import { HostPlaces } from "./host_places.ts";
import { StoreRest } from "./store_rest.ts";
import { Resting } from "./resting.ts";
import { Timers } from "./timers.ts";

export interface WorkerParts extends DeliveryParts {
  readonly policy: DeliveryParts["policy"] & {
    /** Lanes worked at once. */
    readonly parallel: number;
    /** Attempts at once to one host. */
    readonly parallelPerHost: number;
  };
}

export class Worker {
  readonly #parts: WorkerParts;
  readonly #hosts: HostPlaces;
  readonly #health: HostHealth;
  /** Lanes to look at, oldest wake-up first. */
  readonly #woken = new Set<string>();
  readonly #active = new Set<string>();
  readonly #timers: Timers;
  readonly #resting: Resting;
  readonly #store: StoreRest;
  readonly #abort = new AbortController();
  readonly #context: WorkerContext = {
    signal: this.#abort.signal,
    pause: (ms) => new Promise((resolve) => this.#timers.after(ms, resolve)),
    isStopping: () => this.#stopped,
    isWanted: (host, lane) => this.#isWanted(host, lane),
    learn: (host, lane, outcome) => this.#learn(host, lane, outcome),
    lookAgain: (lane, ms) => this.#resting.lookAgain(lane, ms),
  };
  /** Heads of lanes being read. */
  #looks = 0;
  #stopped = false;
  #idle: (() => void)[] = [];

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#hosts = new HostPlaces(parts.policy.parallelPerHost);
    this.#health = new HostHealth(parts.policy.leaseMs);
    this.#timers = new Timers(parts.clock);
    this.#resting = new Resting(parts.clock, this.#timers, (lane) => this.wake([lane]));
    this.#store = new StoreRest(this.#timers, parts.log, () => this.#begin());
  }

  /** Hosts that cannot be reached at present, according to their last attempts. */
  get unreachableHosts(): number {
    return this.#health.unreachable;
  }

  /** Wakes every lane with unfinished exports, as after a crash. */
  async wakeAll(): Promise<void> {
    try {
      for await (const lane of this.#parts.ledger.lanes()) this.wake([lane]);
    } catch (error) {
      if (this.#stopped) return;
      this.#store.begin(new StoreFailed(error));
      this.#timers.after(STORE_RETRY_MS, () => void this.wakeAll());
    }
  }

  /** Looks at `lanes`, each as soon as a hand is free. */
  wake(lanes: Iterable<string>): void {
    if (this.#stopped) return;
    for (const lane of lanes) this.#woken.add(lane);
    this.#begin();
  }

  /** Opens an export in the ledger; it is delivered at once, or when its lane is woken. */
  readonly accept: Ledger["accept"] = (change, payload, options) => {
    const { record } = change;
    const { lane } = record;
    const hasHand = this.#takeHandFor(record);
    const claim = hasHand ? claimExport(record, turnFacts(this.#parts)) : undefined;
    const accepting = this.#parts.ledger.accept(change, payload, { ...options, claim });
    const claiming = this.#claimedBy(accepting, lane);
    if (hasHand) {
      void this.#run(lane, async () => {
        const claimed = await claiming;
        if (claimed) await deliver({ claimed, payload }, this.#parts, this.#context);
      });
    }
    return accepting;
  };

  /**
   * What an acceptance claimed. If nothing, the lane is looked at: an export that the store reports
   * as not accepted may exist all the same, even claimed.
   */
  async #claimedBy(
    accepting: Promise<Acceptance>,
    lane: string,
  ): Promise<Held<Delivering> | undefined> {
    const acceptance = await accepting.catch(() => undefined);
    const isAccepted = acceptance?.kind === "accepted";
    if (isAccepted) this.#store.end();
    if (isAccepted && acceptance.claimed !== undefined) return acceptance.claimed;
    this.wake([lane]);
    return undefined;
  }

  /** Resolves when no lane is being worked or waits for a hand. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#begin();
    });
  }

  /** Claims no more; waits `graceMs` for running attempts, then leaves them to their leases. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#woken.clear();
    this.#resting.stop();
    this.#timers.runAll();
    const cancel = this.#parts.clock.after(graceMs, () => this.#abort.abort());
    await this.idle();
    cancel();
  }

  #begin(): void {
    for (const lane of this.#woken) {
      if (this.#store.rests) break;
      if (this.#active.size >= this.#parts.policy.parallel || this.#looks >= LOOKS_MAX) break;
      // Woken while it is worked: looked at again afterwards.
      if (this.#active.has(lane)) continue;
      this.#woken.delete(lane);
      // It is woken when there is a place for it.
      if (this.#hosts.isWaiting(lane)) continue;
      void this.#run(lane, () => this.#work(lane));
    }
    if (this.#active.size > 0) return;
    for (const resolve of this.#idle) resolve();
    this.#idle = [];
  }

  /** Occupies a hand with `work` for a lane. */
  async #run(lane: string, work: () => Promise<void>): Promise<void> {
    this.#active.add(lane);
    try {
      await work();
    } catch (error) {
      // By a time of its own: if it alone cannot be read, the store's rest may end at any moment.
      this.#resting.lookAgain(lane, STORE_RETRY_MS);
      if (!(error instanceof StoreFailed)) {
        this.#parts.log({ event: "lane.failed", lane, error, frames: framesOf(error) });
      } else if (!this.#stopped) this.#store.begin(error);
    }
    this.#active.delete(lane);
    // Woken while it was worked: not before those that have waited meanwhile.
    if (this.#woken.delete(lane)) this.#woken.add(lane);
    const next = this.#hosts.free(lane);
    if (next !== undefined) this.wake([next]);
    this.#begin();
  }

  /**
   * Takes a place at its host for an export that is about to be accepted, if a hand is free for it
   * at once; if only the place is missing, its lane waits for one.
   */
  #takeHandFor({ lane, uri }: Pending): boolean {
    const { host } = hostAndPathOf(uri);
    return !this.#stopped && !this.#active.has(lane) &&
      this.#active.size < this.#parts.policy.parallel &&
      !this.#health.isUnreachable(host) && this.#hosts.take(host, lane);
  }

  /** Delivers the head of the lane, if it is due. Settling it wakes the export behind it. */
  async #work(lane: string): Promise<void> {
    const { ledger } = this.#parts;
    const held = await this.#look(lane);
    if (held === undefined || this.#stopped) return;
    const { record, lease } = held;
    const facts = turnFacts(this.#parts);
    const turn = turnOf(record, lease, facts);
    if (turn.kind === "over") return;
    if (turn.kind === "wait") return this.#resting.lookAgain(lane, turn.until - facts.now);
    const { host } = hostAndPathOf(record.uri);
    if (!this.#hosts.take(host, lane)) return;
    if (turn.kind === "give_up") {
      const next = await giveUp(held, turn, this.#parts, this.#context);
      return await deliver(next, this.#parts, this.#context);
    }
    // At its give-up age an export gets its last attempt, whatever is known of the host.
    const heldBackMs = facts.now >= record.giveUpAt ? 0 : this.#health.admit(host, lane, facts.now);
    if (heldBackMs > 0) return this.#resting.lookAgain(lane, heldBackMs);
    const payload = await payloadOf(held, this.#parts, this.#context);
    if (payload === undefined || this.#stopped) return;
    const claimed = await fromStore(ledger.claim(held, turn.change));
    this.#store.end();
    if (claimed === undefined) return this.#resting.lookAgain(lane, STORE_RETRY_MS);
    if (record.state === "delivering") logLapse(record, "delivering", this.#parts);
    await deliver({ claimed, payload }, this.#parts, this.#context);
  }

  async #look(lane: string): Promise<Held | undefined> {
    this.#looks++;
    try {
      return await fromStore(this.#parts.ledger.head(lane));
    } finally {
      this.#looks--;
      this.#begin();
    }
  }

  #learn(host: string, lane: string, outcome: Outcome): void {
    const { change, lanes } = this.#health.learn(host, lane, outcome, this.#parts.clock.now());
    if (change !== undefined) this.#parts.log({ event: `host.${change}`, host });
    this.wake(lanes);
  }

  /** Whether another lane waits for a hand or a place at this host, or only probes may go there. */
  #isWanted(host: string, lane: string): boolean {
    const isFull = this.#active.size >= this.#parts.policy.parallel;
    const othersWait = this.#woken.size > (this.#woken.has(lane) ? 1 : 0);
    return this.#stopped || isFull && othersWait || this.#hosts.isWanted(host) ||
      this.#health.isUnreachable(host);
  }
}
