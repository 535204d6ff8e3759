/** The composition root: settings → store → rooms → server and worker, and back again at the end. */
import denoJson from "./deno.json" with { type: "json" };
import { createAskArbiter } from "./src/arbiter/ask_arbiter.ts";
import {
  ARBITER_BACKOFF_BASE_MS,
  ARBITER_BACKOFF_CAP_MS,
  FORMER_SECRETS_MAX,
} from "./src/arbiter/arbiter_limits.ts";
import { RootKeys } from "./src/arbiter/root_keys.ts";
import { deriveRootKey } from "./src/authorise/macaroon.ts";
import { systemClock as clock } from "./src/clock.ts";
import { type Config, describeConfig } from "./src/config.ts";
import { Worker, type WorkerParts } from "./src/deliver/worker.ts";
import { createEgress, type Egress } from "./src/egress/egress.ts";
import { systemResolve } from "./src/egress/guard.ts";
import { createApp } from "./src/http/app.ts";
import type { RootKeyRing } from "./src/http/guard.ts";
import { Refusals } from "./src/http/refusals.ts";
import { Sockets } from "./src/http/sockets.ts";
import { instanceOf, openKvLedger } from "./src/ledger/kv_ledger.ts";
import { KvQueueBell } from "./src/ledger/kv_queue_bell.ts";
import { KvSecrets } from "./src/ledger/kv_secrets.ts";
import {
  BACKOFF_JITTER,
  BACKOFF_MS,
  LEASE_MARGIN_MS,
  SOCKETS_MAX,
  STAGING_MAX_MS,
  STOP_GRACE_MS,
  STOP_TIMEOUT_MS,
} from "./src/limits.ts";
import { jsonLog, type Log } from "./src/log.ts";
import { runCommand } from "./src/machine/run_command.ts";
import { findSecretSource, type SecretSource } from "./src/machine/secret_source.ts";
import {
  parseFlags,
  readSettings,
  USAGE,
  UsageError,
  warningsFor,
} from "./src/machine/settings.ts";
import { openStore } from "./src/machine/store_file.ts";
import { type ListenerTls, obtainTls } from "./src/machine/tls.ts";
import { Waiters } from "./src/wait/waiters.ts";

/** A running service. */
export interface Service {
  readonly port: number;
  /** Answers who waits, lets running attempts end within `graceMs`, and closes the store. */
  stop(graceMs: number): Promise<void>;
}

export interface ServiceParts {
  readonly config: Config;
  /** Where the secret comes from that the arbiter signs tokens with. */
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
export async function startService({ config, source, tls, log }: ServiceParts): Promise<Service> {
  const random = Math.random;
  const newId = () => crypto.randomUUID();
  const egress = await openEgress(config);
  const store = await openStore(config.EXPORT_KV_PATH);
  const { kv } = store;
  const instance = await instanceOf(kv, newId());
  const bell = new KvQueueBell(kv, clock);
  const ledger = await openKvLedger({ kv, bell, clock, random, instance, marks: marksOf(config) });
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
  const secrets = await openSecrets(source, { kv, log, graceMs: config.EXPORT_SECRET_GRACE });
  const sockets = new Sockets(Deno.upgradeWebSocket, SOCKETS_MAX);
  const app = createApp({
    ledger,
    waiters,
    refusals,
    clock,
    newId,
    log,
    rootKeys: secrets.ring,
    target: config.DATABOX_LOCAL_NAME,
    requiredCaveats: config.EXPORT_REQUIRE_CAVEATS,
    checkDestination: egress.checkDestination,
    bodyBytes: config.EXPORT_BODY_LIMIT,
    giveUpAfterMs: config.EXPORT_GIVE_UP_AFTER,
    sockets,
  });
  const sweeper = repeat(STAGING_MAX_MS, () => ledger.sweep(), log);
  bell.listen((lanes) => worker.wake(lanes));
  const server = Deno.serve(
    { hostname: "0.0.0.0", port: config.DATABOX_LOCAL_PORT, onListen: () => {}, ...tls },
    app.fetch,
  );
  void worker.wakeAll();
  return {
    port: server.addr.port,
    async stop(graceMs) {
      sweeper.stop();
      waiters.close();
      const rest = [sockets.close(), worker.stop(graceMs), secrets.stop()];
      await Promise.all([server.shutdown(), ...rest]);
      refusals.flush();
      await ledger.close();
      store.close();
    },
  };
}

/** What tokens are verified with, from wherever it comes. */
interface Secrets {
  readonly ring: () => RootKeyRing;
  stop(): Promise<void>;
}

async function openSecrets(
  source: SecretSource,
  { kv, log, graceMs }: { readonly kv: Deno.Kv; readonly log: Log; readonly graceMs: number },
): Promise<Secrets> {
  if (source.kind !== "arbiter") {
    const ring = { keys: [deriveRootKey(source.secret)], complete: true };
    return { ring: () => ring, stop: () => Promise.resolve() };
  }
  const { access } = source;
  const client = access.kind === "https" && access.ca !== undefined
    ? Deno.createHttpClient({ caCerts: [access.ca] })
    : undefined;
  const ask = createAskArbiter(access, {
    connect: Deno.connect,
    fetch: (url, init) => fetch(url, { ...init, ...(client !== undefined && { client }) }),
    randomBytes: (size) => crypto.getRandomValues(new Uint8Array(size)),
    clock,
  });
  const rootKeys = new RootKeys({
    fetchSecret: ask,
    store: new KvSecrets(kv),
    clock,
    random: Math.random,
    log,
    policy: {
      graceMs,
      formerMax: FORMER_SECRETS_MAX,
      backoffBaseMs: ARBITER_BACKOFF_BASE_MS,
      backoffCapMs: ARBITER_BACKOFF_CAP_MS,
    },
  });
  await rootKeys.start();
  return {
    ring: () => ({ keys: rootKeys.secrets().map(deriveRootKey), complete: rootKeys.ready }),
    async stop() {
      await rootKeys.stop();
      client?.close();
    },
  };
}

/** What every entry of the ledger is marked with. */
function marksOf(config: Config): Record<string, true> {
  return config.EXPORT_UNSAFE_ALLOW_LOOPBACK ? { unsafe_loopback: true } : {};
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
  // From here on, also while it starts, a signal stops it in order.
  const signalled = terminated();
  const source = await findSecretSource(config);
  const tls = await obtainTls(config.EXPORT_SECRETS_DIR, clock.now(), log);
  const service = await startService({ config, source, tls, log });
  log({ event: "service.listening", port: service.port, tls: tls !== undefined });
  if (source.kind === "own") log({ event: "service.standalone", hint: TOKEN_HINT });
  log({ event: "service.stopping", signal: await signalled });
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
