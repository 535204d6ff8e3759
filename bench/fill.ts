// deno-lint-ignore-file no-console -- what was filled is printed
/**
 * Fills a store with the service's own worker and ledger, in this process, without HTTP and without
 * a destination: every record, place, entry and wake-up is what the service writes, only sooner.
 *
 * Arguments: the store's file, then one of `finished COUNT RETENTION_MS`,
 * `expiring COUNT RETENTION_MS`, `waiting LANES DEPTH`. No other process may have it open.
 */
import { generate as generateUuid } from "@std/uuid/v7";
import { systemClock as clock } from "../src/clock.ts";
import type { SendResult } from "../src/deliver/attempt.ts";
import { Worker } from "../src/deliver/worker.ts";
import { acceptExport } from "../src/exports/export.ts";
import { instanceOf } from "../src/ledger/instance.ts";
import { openKvLedger } from "../src/ledger/open_kv_ledger.ts";
import { KvQueueBell } from "../src/ledger/kv_queue_bell.ts";
import {
  BACKOFF_JITTER,
  BACKOFF_MS,
  DEFAULTS,
  LEASE_MARGIN_MS,
  RETRY_AFTER_MAX_MS,
} from "../src/limits.ts";
import { EXPIRY_SPREAD_MS } from "../src/ledger/store_limits.ts";
import { openStore } from "../src/machine/store_file.ts";
import { payloadOf } from "./payload.ts";

/** Lanes worked at once: ten commits' worth of changes. */
const HANDS = 500;
const DESTINATION = "http://127.0.0.1:9/in";
const ADDRESS = "127.0.0.1";

const ANSWERED: SendResult = {
  kind: "answered",
  status: 200,
  body: new TextEncoder().encode("ok"),
  truncated: false,
  address: ADDRESS,
};

/** The destination asks to be left alone for the longest time permitted. */
export const LEFT_ALONE: SendResult = {
  kind: "answered",
  status: 503,
  body: new Uint8Array(),
  truncated: false,
  address: ADDRESS,
  retryAfter: String(RETRY_AFTER_MAX_MS / 1_000),
};

/** As the service makes them. */
const newId = (): string => generateUuid(clock.now());

export interface Filling extends AsyncDisposable {
  /** Accepts an export of this owner; if others are before it in its lane, it waits there. */
  accept(owner: string): Promise<void>;
  /** Accepts one, and resolves after its first attempt. */
  attempt(owner: string): Promise<void>;
}

export interface FillOptions {
  readonly path: string;
  /** What every destination answers; by default a 200. */
  readonly answer?: SendResult;
  /** How long the next finished export is kept. */
  readonly retentionMs: () => number;
  /** Uniform in [0, 1); spreads expiries. */
  readonly random?: () => number;
}

/** The service's store, ledger and worker, as shipped except for limits and parallelism. */
export async function openFilling(options: FillOptions): Promise<Filling> {
  const { path, answer = ANSWERED, retentionMs, random = Math.random } = options;
  const store = await openStore(path);
  const { kv } = store;
  const instance = await instanceOf(kv, crypto.randomUUID());
  const bell = new KvQueueBell(kv, clock);
  const ledger = await openKvLedger({
    kv,
    bell,
    clock,
    random,
    instance,
    storage: () => Promise.resolve({ kind: "well" }),
    marks: { unsafe_loopback: true },
    storedBytesPerDay: Infinity,
    openMax: { exports: Infinity, bytes: Infinity },
  });
  const attempts = new Map<unknown, () => void>();
  const worker = new Worker({
    ledger,
    send: () => Promise.resolve(answer),
    clock,
    random: Math.random,
    log({ event, error, id }) {
      if (event === "delivery.attempted") attempts.get(id)?.();
      if (error !== undefined) throw error;
    },
    claimant: { instance, boot: crypto.randomUUID() },
    userAgent: "filling",
    policy: {
      backoff: { delaysMs: BACKOFF_MS, jitter: BACKOFF_JITTER },
      retryStatuses: [503],
      retryAfterMaxMs: RETRY_AFTER_MAX_MS,
      get retentionMs() {
        return retentionMs();
      },
      leaseMs: DEFAULTS.attemptTimeoutMs + LEASE_MARGIN_MS,
      parallel: HANDS,
      parallelPerHost: HANDS,
    },
  });
  /** Lanes that wait for half an hour: looking at each whenever one is added would take longest. */
  const left = new Set<string>();
  bell.onRing((lanes) => worker.wake(lanes.filter((lane) => !left.has(lane))));
  bell.listen();
  let number = 0;

  const accept = async (owner: string, id = newId()) => {
    const payload = new TextEncoder().encode(payloadOf(number++));
    const facts = { id, now: clock.now(), giveUpAfterMs: DEFAULTS.giveUpAfterMs };
    const change = acceptExport({ owner, uri: DESTINATION, payload }, facts);
    const { lane } = change.record;
    const { kind } = await (left.has(lane) ? ledger : worker).accept(change, payload);
    if (kind !== "accepted") throw new Error(`Cannot fill: the ledger says ${kind}`);
    return lane;
  };
  return {
    accept: async (owner) => void await accept(owner),
    async attempt(owner) {
      const id = newId();
      const { promise, resolve } = Promise.withResolvers<void>();
      attempts.set(id, resolve);
      const lane = await accept(owner, id);
      await promise;
      if (answer === LEFT_ALONE) left.add(lane);
      attempts.delete(id);
    },
    async [Symbol.asyncDispose]() {
      await worker.stop(0);
      await ledger.close();
      store.close();
    },
  };
}

/** Calls `action` with 0 to `count` - 1, many at a time. */
async function times(count: number, action: (n: number, hand: number) => Promise<unknown>) {
  let next = 0;
  const work = async (hand: number) => {
    while (next < count) await action(next++, hand);
  };
  await Promise.all(Array.from({ length: HANDS }, (_, hand) => work(hand)));
}

/** In each lane the head waits for its second attempt, and the others wait for the head. */
async function waiting(filling: Filling, lanes: number, depth: number): Promise<void> {
  await times(lanes, (n) => filling.attempt(`waiting ${n}`));
  await times(lanes * (depth - 1), (n) => filling.accept(`waiting ${n % lanes}`));
}

/**
 * How much longer a random export is kept in a store that accepts and removes at the same rate:
 * exports live for the retention and some of the spread after it.
 */
function remainingMs(retentionMs: number): number {
  const spread = EXPIRY_SPREAD_MS;
  for (;;) {
    const at = Math.random() * (retentionMs + spread);
    const alive = at < retentionMs ? 1 : 1 - (at - retentionMs) / spread;
    if (Math.random() < alive) return at;
  }
}

async function fill(path: string, what: string, count: number, second: number): Promise<void> {
  const retentionMs = () => what === "expiring" ? remainingMs(second) : second;
  await using filling = await openFilling({
    path,
    answer: what === "waiting" ? LEFT_ALONE : ANSWERED,
    retentionMs,
    // For `expiring`, `remainingMs` already includes the spread.
    ...(what === "expiring" && { random: () => 0 }),
  });
  if (what === "waiting") await waiting(filling, count, second);
  else await times(count, (_, hand) => filling.attempt(`owner ${hand}`));
}

if (import.meta.main) {
  const [path = "", what = "", ...numbers] = Deno.args;
  const [count = 0, second = 0] = numbers.map(Number);
  const begun = performance.now();
  await fill(path, what, count, second);
  console.log(JSON.stringify({ filled: count, ms: Math.round(performance.now() - begun) }));
}
