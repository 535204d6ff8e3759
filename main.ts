/** The composition root: settings → store → rooms → server and worker, and back again at the end. */
import denoJson from "./deno.json" with { type: "json" };
import { deriveRootKey } from "./src/authorise/macaroon.ts";
import { systemClock as clock } from "./src/clock.ts";
import { type Config, describeConfig } from "./src/config.ts";
import { Worker, type WorkerParts } from "./src/deliver/worker.ts";
import { createEgress, type Egress } from "./src/egress/egress.ts";
import { systemResolve } from "./src/egress/guard.ts";
import { createApp } from "./src/http/app.ts";
import { Refusals } from "./src/http/refusals.ts";
import { instanceOf, openKvLedger } from "./src/ledger/kv_ledger.ts";
import { KvQueueBell } from "./src/ledger/kv_queue_bell.ts";
import {
  BACKOFF_JITTER,
  BACKOFF_MS,
  LEASE_MARGIN_MS,
  RETRY_AFTER_MAX_MS,
  STAGING_MAX_MS,
  STOP_GRACE_MS,
  STOP_TIMEOUT_MS,
} from "./src/limits.ts";
import { jsonLog, type Log } from "./src/log.ts";
import { obtainRootKey, rootKeyPath } from "./src/machine/root_key_file.ts";
import { runCommand } from "./src/machine/run_command.ts";
import {
  parseFlags,
  readSettings,
  USAGE,
  UsageError,
  warningsFor,
} from "./src/machine/settings.ts";
import { openStore } from "./src/machine/store_file.ts";
import { Waiters } from "./src/wait/waiters.ts";

/** A running service. */
export interface Service {
  readonly port: number;
  /** Answers who waits, lets running attempts end within `graceMs`, and closes the store. */
  stop(graceMs: number): Promise<void>;
}

/**
 * Starts the service: it listens and works once the promise resolves.
 *
 * @param secret what the arbiter signs tokens with
 * @throws {StoreError} if the store cannot be opened
 */
export async function startService(config: Config, secret: string, log: Log): Promise<Service> {
  const random = Math.random;
  const newId = () => crypto.randomUUID();
  const egress = await openEgress(config);
  const store = await openStore(config.EXPORT_KV_PATH);
  const { kv } = store;
  const instance = await instanceOf(kv, newId());
  const bell = new KvQueueBell(kv, clock);
  const marks: Record<string, true> = config.EXPORT_UNSAFE_ALLOW_LOOPBACK
    ? { unsafe_loopback: true }
    : {};
  const ledger = await openKvLedger({ kv, bell, clock, random, instance, marks });
  const worker = new Worker({
    ledger,
    send: egress.send,
    clock,
    random,
    log,
    claimant: { instance, boot: newId() },
    userAgent: `databox-export-service/${denoJson.version}`,
    policy: deliveryPolicy(config),
  });
  const waiters = new Waiters((id) => ledger.watch(id), clock);
  const refusals = new Refusals({ ledger, clock, log });
  const rootKeys = [deriveRootKey(secret)];
  const app = createApp({
    ledger,
    waiters,
    refusals,
    clock,
    newId,
    log,
    rootKeys: () => rootKeys,
    target: config.DATABOX_LOCAL_NAME,
    requiredCaveats: config.EXPORT_REQUIRE_CAVEATS,
    checkDestination: egress.checkDestination,
    bodyBytes: config.EXPORT_BODY_LIMIT,
    giveUpAfterMs: config.EXPORT_GIVE_UP_AFTER,
    unreachableHosts: () => worker.unreachableHosts,
  });
  const sweeper = repeat(STAGING_MAX_MS, () => ledger.sweep(), log);
  bell.listen((lanes) => worker.wake(lanes));
  const server = Deno.serve(
    { hostname: "0.0.0.0", port: config.DATABOX_LOCAL_PORT, onListen: () => {} },
    app.fetch,
  );
  void worker.wakeAll();
  return {
    port: server.addr.port,
    async stop(graceMs) {
      sweeper.stop();
      waiters.close();
      await Promise.all([server.shutdown(), worker.stop(graceMs)]);
      refusals.flush();
      await ledger.close();
      store.close();
    },
  };
}

async function openEgress(config: Config): Promise<Egress> {
  const { EXPORT_EXTRA_CA } = config;
  return createEgress({
    policy: { allowLoopback: config.EXPORT_UNSAFE_ALLOW_LOOPBACK },
    clock,
    resolve: systemResolve,
    attemptTimeoutMs: config.EXPORT_ATTEMPT_TIMEOUT,
    answerBytesMax: config.EXPORT_RESPONSE_LIMIT,
    extraCa: EXPORT_EXTRA_CA === undefined ? undefined : await Deno.readTextFile(EXPORT_EXTRA_CA),
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

/** Runs a chore now and every `periodMs` from now on; a failing one is tried again in its turn. */
function repeat(periodMs: number, chore: () => Promise<unknown>, log: Log): { stop(): void } {
  let cancel = () => {};
  const run = () => {
    cancel = clock.after(periodMs, run);
    chore().catch((error) => log({ event: "store.failed", error }));
  };
  run();
  return { stop: () => cancel() };
}

/** Runs the service as a process: flags, log and signals in, exit code out. */
async function main(args: readonly string[], print: (line: string) => void): Promise<void> {
  const flags = parseFlags(args);
  if (flags.help) return print(USAGE);
  const log = jsonLog(print, () => clock.now());
  const settings = readSettings(flags);
  if (settings.kind === "faulty") throw new UsageError(settings.faults.join("\n"));
  const { config } = settings;
  log({ event: "service.starting", version: denoJson.version, settings: describeConfig(config) });
  for (const detail of warningsFor(flags, config)) log({ event: "service.warning", detail });
  const secret = config.EXPORT_SECRET ?? await obtainRootKey(rootKeyPath(config.EXPORT_KV_PATH));
  const service = await startService(config, secret, log);
  log({ event: "service.listening", port: service.port });
  if (config.EXPORT_SECRET === undefined) log({ event: "service.standalone", hint: TOKEN_HINT });
  log({ event: "service.stopping", signal: await terminated() });
  // What does not end in time is left to its lease; nothing is lost by leaving now.
  const leave = clock.after(STOP_TIMEOUT_MS, () => Deno.exit(0));
  await service.stop(STOP_GRACE_MS);
  leave();
  log({ event: "service.stopped" });
}

const TOKEN_HINT = "Get a token: deno task token --destination https://example.org/";

function terminated(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}

if (import.meta.main) await runCommand((print) => main(Deno.args, print));
