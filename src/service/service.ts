/**
 * The composition root: settings → store → rooms → server and worker, and back again at the end.
 * Decides nothing: every part gets what it needs as an argument.
 */
import { generate as generateUuid } from "@std/uuid/v7";
import denoJson from "../../deno.json" with { type: "json" };
import { systemClock as clock } from "../clock.ts";
import type { Config } from "../config.ts";
import { Worker, type WorkerParts } from "../deliver/worker.ts";
import type { ExportRecord } from "../exports/record.ts";
import { createApp } from "../http/app.ts";
import { throttledLog } from "../http/throttled_log.ts";
import { Refusals } from "../http/refusals.ts";
import { Sockets } from "../http/sockets.ts";
import { instanceOf } from "../ledger/instance.ts";
import type { KvLedger } from "../ledger/kv_ledger.ts";
import { openKvLedger } from "../ledger/open_kv_ledger.ts";
import { KvQueueBell } from "../ledger/kv_queue_bell.ts";
import {
  BACKOFF_JITTER,
  BACKOFF_MS,
  LEASE_MARGIN_MS,
  RETRY_AFTER_MAX_MS,
  STAGING_MAX_MS,
} from "../limits.ts";
import { memoryGrowthMax, openBounds, requestBounds, socketBounds } from "../limit_settings.ts";
import type { Log } from "../log.ts";
import { listen } from "../machine/listener.ts";
import { onceWell, watchDisk } from "../machine/disk.ts";
import type { SecretSource } from "../machine/secret_source.ts";
import { MemoryGrowth } from "../machine/memory_growth.ts";
import { removeAbandonedCopy } from "../machine/store_copy.ts";
import { namingDamage, openStore } from "../machine/store_file.ts";
import type { ListenerTls } from "../machine/tls.ts";
import { webSockets } from "../machine/web_socket.ts";
import { Waiters } from "../wait/waiters.ts";
import { openEgress } from "./open_egress.ts";
import { openRootKeys } from "./root_keys.ts";

const random = Math.random;
/** Ordered by time, so that exports accepted together are adjacent in the store. */
const newId = (): string => generateUuid(clock.now());

/** A running service. */
export interface Service {
  readonly port: number;
  /** Answers waiting clients, lets running attempts end within `graceMs`, and closes the store. */
  stop(graceMs: number): Promise<void>;
}

export interface ServiceParts {
  readonly config: Config;
  /** Where the secret comes from that tokens are signed with. */
  readonly source: SecretSource;
  /** Certificate and key to listen with; without them, plain HTTP. */
  readonly tls?: ListenerTls | undefined;
  readonly log: Log;
}

/**
 * Starts the service: it listens and works once the promise resolves.
 *
 * @throws {StoreError} if the store cannot be opened
 */
export async function startService(
  { config, source, tls, log: given }: ServiceParts,
): Promise<Service> {
  const scraped = await openMetrics(config);
  const log = scraped?.metrics.countingLog(given) ?? given;
  const egress = await openEgress(config, clock);
  const reading = <T>(work: () => Promise<T>) => namingDamage(config.EXPORT_KV_PATH, work);
  const opened = await reading(() => openLedger(config, log));
  const { kv, bell, disk, ledger, instance, close } = opened;
  const worker = createWorker(config, { ledger, send: egress.send, instance, log });
  const memory = memoryWatches(config, log);
  const waiters = createWaiters(ledger, memory.polls);
  const refusals = new Refusals({ ledger, clock, log });
  const parts = { kv, clock, random, log };
  const keys = await reading(() => openRootKeys(source, parts, config.EXPORT_SECRET_GRACE));
  const sockets = new Sockets(webSockets(clock, memory.sockets), socketBounds(config));
  const app = createApp({
    ledger,
    accept: worker.accept,
    waiters,
    refusals,
    throttledLog: throttledLog(log, clock),
    clock,
    newId,
    log,
    rootKeys: keys.ring,
    checkDestination: egress.checkDestination,
    watchMemory: (end) => memory.bodies.add(end),
    unreachableHosts: () => worker.unreachableHosts,
    sockets,
    metrics: scraped,
    ...requestPolicy(config),
  });
  scraped?.metrics.register({
    open: () => ledger.openTotal(),
    waitingPolls: () => waiters.size,
    openSockets: () => sockets.size,
    unreachableHosts: () => worker.unreachableHosts,
    freeSpaceBytes: disk.freeSpaceBytes,
    memoryBytes: () => Deno.memoryUsage().rss,
  });
  bell.onRing((lanes) => worker.wake(lanes));
  const alarm = onceWell(disk, clock, () => bell.listen());
  const handler = scraped?.metrics.countingResponses(app.fetch) ?? app.fetch;
  const listener = listen({ port: config.DATABOX_LOCAL_PORT, tls, handler, clock, log });
  void worker.wakeAll();
  return {
    port: listener.port,
    async stop(graceMs) {
      alarm.stop();
      waiters.close();
      await Promise.all([
        listener.stop(graceMs, sockets.close()),
        worker.stop(graceMs),
        keys.stop(),
      ]);
      egress.close();
      await refusals.close();
      await close();
    },
  };
}

/** The store, and what is built directly on it. */
async function openLedger(config: Config, log: Log) {
  await removeAbandonedCopy(config.EXPORT_KV_PATH)
    .catch(({ message }) => log({ event: "service.warning", detail: message }));
  const store = await openStore(config.EXPORT_KV_PATH);
  const { kv } = store;
  const instance = await instanceOf(kv, crypto.randomUUID());
  const bell = new KvQueueBell(kv, clock);
  const disk = await watchDisk(config.EXPORT_KV_PATH, config.EXPORT_FREE_SPACE_FLOOR, clock);
  const ledger = await openKvLedger({
    ...{ kv, bell, clock, random, instance },
    storage: disk.state,
    marks: marksOf(config),
    openMax: openBounds(config),
    storedBytesPerDay: config.EXPORT_STORED_PER_DAY,
  });
  const sweeper = repeat(STAGING_MAX_MS, () => ledger.sweep(), log);
  const close = async () => {
    sweeper.stop();
    await ledger.close();
    disk.close();
    store.close();
  };
  return { kv, bell, disk, ledger, instance, close };
}

/** For each kind of thing that clients hold open, what ends all of them if the process grows. */
function memoryWatches(config: Config, log: Log) {
  const bytesMax = memoryGrowthMax(config);
  const watch = (onGrown: (bytes: number) => void) =>
    new MemoryGrowth({ clock, bytesMax, onGrown });
  return {
    polls: watch((bytes) => log({ event: "polls.dropped", bytes })),
    bodies: watch((bytes) => log({ event: "bodies.dropped", bytes })),
    sockets: watch((bytes) => log({ event: "sockets.dropped", bytes })),
  };
}

/** Polls are watched from the first that waits to the last. */
function createWaiters(ledger: KvLedger, memory: MemoryGrowth): Waiters<ExportRecord> {
  const attend = () => memory.add(() => waiters.release());
  const waiters = new Waiters<ExportRecord>((...what) => ledger.watch(...what), clock, attend);
  return waiters;
}

/** If the operator asks for no metrics, none are kept, and their module is not loaded. */
async function openMetrics({ EXPORT_METRICS_TOKEN: token }: Config) {
  if (token === undefined) return undefined;
  const { Metrics } = await import("../metrics.ts");
  return { token, metrics: new Metrics() };
}

/** The marks on every entry of the ledger. */
function marksOf(config: Config): Record<string, true> {
  return config.EXPORT_UNSAFE_ALLOW_LOOPBACK ? { unsafe_loopback: true } : {};
}

function createWorker(
  config: Config,
  { instance, ...parts }: Pick<WorkerParts, "ledger" | "send" | "log"> & {
    readonly instance: string;
  },
): Worker {
  return new Worker({
    ...parts,
    clock,
    random,
    claimant: { instance, boot: crypto.randomUUID() },
    userAgent: `databox-export-service/${denoJson.version}`,
    policy: deliveryPolicy(config),
  });
}

function deliveryPolicy(config: Config): WorkerParts["policy"] {
  return {
    backoff: { delaysMs: BACKOFF_MS, jitter: BACKOFF_JITTER },
    retryStatuses: config.EXPORT_RETRY_STATUSES,
    retryAfterMaxMs: RETRY_AFTER_MAX_MS,
    retentionMs: config.EXPORT_RETENTION,
    leaseMs: config.EXPORT_ATTEMPT_TIMEOUT + LEASE_MARGIN_MS,
    parallel: config.EXPORT_PARALLEL,
    parallelPerHost: config.EXPORT_PARALLEL_PER_HOST,
  };
}

function requestPolicy(config: Config) {
  return {
    target: config.DATABOX_LOCAL_NAME,
    requiredCaveats: config.EXPORT_REQUIRE_CAVEATS,
    payloadBytesMax: config.EXPORT_BODY_LIMIT,
    giveUpAfterMs: config.EXPORT_GIVE_UP_AFTER,
    bounds: requestBounds(config),
  };
}

/** Runs a chore now and then every `periodMs`; if it fails, it is retried in the next period. */
function repeat(periodMs: number, chore: () => Promise<unknown>, log: Log): { stop(): void } {
  let cancel = () => {};
  const run = () => {
    cancel = clock.after(periodMs, run);
    chore().catch((error) => log({ event: "store.failed", error }));
  };
  run();
  return { stop: () => cancel() };
}
