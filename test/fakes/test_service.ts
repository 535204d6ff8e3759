/**
 * The whole service in memory, real but for time, chance and the destination. Requests go through
 * `app.request`; time stands still until a test moves it.
 */
import type { Hono } from "hono";
import { deriveRootKey } from "../../src/authorise/macaroon.ts";
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import { systemClock } from "../../src/clock.ts";
import type { OutboundRequest, SendResult } from "../../src/deliver/attempt.ts";
import { Worker } from "../../src/deliver/worker.ts";
import type { Egress } from "../../src/egress/egress.ts";
import { DEFAULT_POLICY } from "../../src/egress/policy.ts";
import type { ExportRecord } from "../../src/exports/record.ts";
import type { Receipt } from "../../src/exports/receipt.ts";
import { createApp } from "../../src/http/app.ts";
import type { RequestBounds } from "../../src/http/bounds.ts";
import type { MetricsRouteParts } from "../../src/http/metrics_route.ts";
import { throttledLog } from "../../src/http/throttled_log.ts";
import { Refusals } from "../../src/http/refusals.ts";
import { Sockets, type Upgrade } from "../../src/http/sockets.ts";
import { instanceOf } from "../../src/ledger/instance.ts";
import type { KvLedger } from "../../src/ledger/kv_ledger.ts";
import { openKvLedger } from "../../src/ledger/open_kv_ledger.ts";
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";
import { entriesIn } from "../../src/ledger/pages.ts";
import type { Storage } from "../../src/ledger/storage.ts";
import type { LogEvent } from "../../src/log.ts";
import { webSockets } from "../../src/machine/web_socket.ts";
import { createTestEgress } from "./test_egress.ts";
import { Waiters } from "../../src/wait/waiters.ts";
import type { Clock } from "../../src/clock.ts";
import type { Bell } from "../../src/ledger/bell.ts";
import { ClockBell } from "./clock_bell.ts";
import type { Fault, Trouble } from "./fault.ts";
import { faultyKv } from "./faulty_kv.ts";
import { faultyBell, faultyClock, faultyLog } from "./faulty_parts.ts";
import { FakeClock } from "./fake_clock.ts";

export const SECRET = "a secret of the tests";
export const DESTINATION = "https://destination.example/in";

/** What requests may cost in tests. */
export const BOUNDS: RequestBounds = {
  urlChars: 8_192,
  headerBytes: 32_768,
  jsonDepth: 128,
  bodyTimeoutMs: 30_000,
  bodies: { total: 134_217_728, perOwner: 67_108_864 },
  polls: { total: 4_096, perOwner: 2_048 },
  answers: { total: 67_108_864, perOwner: 33_554_432 },
  answersWaiting: { total: 4_096, perOwner: 2_048 },
  requestsPerSecond: 1_000_000,
};

/** What a destination does with a request. */
export type Destination = (request: OutboundRequest) => SendResult | Promise<SendResult>;

export interface TestServiceOptions {
  readonly kv?: Deno.Kv;
  /** In the place of a bell that rings by the test's clock. */
  readonly openBell?: (kv: Deno.Kv, clock: Clock) => Bell;
  /** Goes wrong under the service once it is open. */
  readonly wrap?: Fault;
  /** The same, from the beginning, and also over its timers, its log and its bell. */
  readonly trouble?: Trouble;
  /** Where to note what reaches the destination, if an earlier service did already. */
  readonly sent?: OutboundRequest[];
  readonly clock?: FakeClock;
  readonly newId?: () => string;
  readonly destination?: Destination;
  /** The way out to real destinations; without one, nothing leaves. */
  readonly egress?: Egress;
  /** Counts each body that is being read; by default none is ever dropped for the memory of all. */
  readonly watchMemory?: (end: () => void) => () => void;
  readonly payloadBytesMax?: number;
  readonly requiredCaveats?: readonly ("target" | "path" | "method" | "destination")[];
  readonly secrets?: readonly string[];
  readonly retryStatuses?: readonly number[];
  readonly parallel?: number;
  readonly parallelPerHost?: number;
  readonly giveUpAfterMs?: number;
  readonly retentionMs?: number;
  /** The state of the disk; well by default. */
  readonly storage?: Storage;
  /** Whether all secrets are known; by default, if there are any. */
  readonly keysComplete?: boolean;
  /** How many WebSockets may be open. */
  readonly socketsMax?: number;
  /** How many of them may be one owner's. */
  readonly socketsPerOwner?: number;
  /** What requests may cost, where a test wants it otherwise than {@link BOUNDS}. */
  readonly bounds?: Partial<RequestBounds>;
  /** What an owner may have open. */
  readonly openMax?: { readonly exports: number; readonly bytes: number };
  /** Bytes that an owner's exports may leave in a day. */
  readonly storedBytesPerDay?: number;
  readonly metrics?: MetricsRouteParts;
  /** Makes WebSockets, if a test wants to hold them. */
  readonly upgrade?: Upgrade;
}

/** Two hundred, with `body`. */
export function answered(body = "ok", status = 200): SendResult {
  const bytes = new TextEncoder().encode(body);
  return { kind: "answered", status, body: bytes, truncated: false, address: "192.0.2.1" };
}

export class TestService implements AsyncDisposable {
  constructor(
    readonly app: Hono,
    readonly kv: Deno.Kv,
    readonly clock: FakeClock,
    readonly ledger: KvLedger,
    readonly worker: Worker,
    readonly waiters: Waiters<ExportRecord>,
    /** Requests that reached the destination, in order. */
    readonly sent: OutboundRequest[],
    readonly sockets: Sockets,
    readonly log: LogEvent[],
    private readonly ownsKv: boolean,
  ) {}

  /** A token as an arbiter mints it. */
  token(more: {
    readonly destination?: string | undefined;
    readonly path?: string;
    readonly method?: string;
    readonly identifier?: string;
    readonly caveats?: readonly string[];
    readonly secret?: string;
  } = {}): string {
    const { path = "/lp/export", identifier = "" } = more;
    const destination = "destination" in more ? more.destination : DESTINATION;
    const caveats = exportCaveats({
      target: "export-service",
      path,
      method: more.method ?? "POST",
      destination: destination ?? "",
    }).filter((caveat) => destination !== undefined || !caveat.startsWith("destination"));
    return mintToken(more.secret ?? SECRET, {
      identifier,
      caveats: [...caveats, ...more.caveats ?? []],
    });
  }

  /** Asks `path` with a JSON body. */
  async ask(
    path: string,
    body: unknown,
    init: {
      readonly token?: string;
      readonly headers?: HeadersInit;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("x-api-key", init.token ?? this.token({ path: path.replace(/\?.*/, "") }));
    return await this.app.request(path, {
      method: "POST",
      headers,
      body: typeof body === "string" ? body : JSON.stringify(body),
      ...(init.signal !== undefined && { signal: init.signal }),
    });
  }

  /** Submits an export and answers its receipt. */
  async submit(data = "{}", init: { uri?: string; token?: string; headers?: HeadersInit } = {}) {
    const { uri = DESTINATION, ...rest } = init;
    const token = rest.token ?? this.token({ destination: uri });
    const response = await this.ask("/lp/export", { id: "", uri, data }, { ...rest, token });
    return await receiptIn(response);
  }

  /** What a poll shows at once. */
  async poll(id: string, init: { uri?: string; token?: string } = {}): Promise<Receipt> {
    const { uri = DESTINATION } = init;
    const token = init.token ?? this.token({ path: "/export", destination: uri });
    return await receiptIn(await this.ask("/export", { id, uri, data: "{}" }, { token }));
  }

  /** Resolves when an export has come to `state`; a turn of the event loop between two looks. */
  async until(id: string, state: string, init: { token?: string } = {}): Promise<void> {
    while ((await this.poll(id, init)).state !== state) {
      await new Promise((resolve) => setTimeout(resolve));
    }
  }

  /** Entries of the ledger so far. */
  async entries(): Promise<(LedgerEntry & { readonly [field: string]: unknown })[]> {
    const entries = [];
    for await (const { value } of this.kv.list<Uint8Array>({ prefix: ["ledger"] })) {
      for (const bytes of entriesIn(value)) {
        entries.push(JSON.parse(new TextDecoder().decode(bytes)));
      }
    }
    return entries;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sockets.close();
    this.waiters.close();
    await this.worker.stop(0);
    await this.ledger.close();
    if (this.ownsKv) this.kv.close();
  }
}

async function receiptIn(response: Response): Promise<Receipt> {
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text);
}

/** What the rooms get of the world outside, under trouble if there is to be some. */
function worldOf(
  { wrap, trouble }: TestServiceOptions,
  rawKv: Deno.Kv,
  realClock: FakeClock,
  events: LogEvent[],
) {
  const note = (event: LogEvent) => void events.push(event);
  const bell = new ClockBell(realClock);
  if (trouble === undefined) {
    const kv = wrap === undefined ? rawKv : faultyKv(rawKv, wrap);
    return { kv, clock: realClock, bell, log: note };
  }
  const clock = faultyClock(realClock, trouble);
  return {
    kv: faultyKv(rawKv, trouble),
    clock,
    bell: faultyBell(bell, trouble),
    log: faultyLog(note, clock, trouble),
  };
}

/** Starts a service; each gets a store of its own unless one is given. */
export async function openTestService(options: TestServiceOptions = {}): Promise<TestService> {
  const realClock = options.clock ?? new FakeClock();
  const rawKv = options.kv ?? await Deno.openKv(":memory:");
  const random = () => 0.5;
  const instance = await instanceOf(rawKv, "the-instance");
  const events: LogEvent[] = [];
  const { kv, clock, bell: clockBell, log } = worldOf(options, rawKv, realClock, events);
  const bell = options.openBell?.(kv, clock) ?? clockBell;
  const storage = options.storage ?? (() => Promise.resolve({ kind: "well" } as const));
  const ledger = await openKvLedger({
    kv,
    bell,
    clock,
    random,
    instance,
    storage,
    marks: {},
    storedBytesPerDay: options.storedBytesPerDay ?? 2_147_483_648,
    openMax: options.openMax ?? { exports: 10_000, bytes: 268_435_456 },
  });
  const egress = options.egress ?? createTestEgress({
    clock,
    policy: DEFAULT_POLICY,
    resolve: () => Promise.resolve([]),
  });
  const destination = options.destination ?? options.egress?.send ?? (() => answered());
  const sent = options.sent ?? [];
  const worker = new Worker({
    ledger,
    clock,
    random,
    log,
    send: async (request) => {
      const arrive = async () => {
        sent.push(request);
        return await destination(request);
      };
      const trouble = options.wrap ?? options.trouble;
      return await (trouble === undefined ? arrive() : trouble.pass(arrive, "send"));
    },
    claimant: { instance, boot: crypto.randomUUID() },
    userAgent: "databox-export-service/test",
    policy: {
      backoff: { delaysMs: [5_000, 30_000, 120_000, 600_000, 1_800_000], jitter: 0.2 },
      retryStatuses: options.retryStatuses ?? [],
      retryAfterMaxMs: 1_800_000,
      retentionMs: options.retentionMs ?? 86_400_000,
      leaseMs: 45_000,
      parallel: options.parallel ?? 64,
      parallelPerHost: options.parallelPerHost ?? 8,
    },
  });
  bell.onRing((lanes) => worker.wake(lanes));
  bell.listen();
  const waiters = new Waiters<ExportRecord>((...what) => ledger.watch(...what), clock);
  const rootKeys = (options.secrets ?? [SECRET]).map(deriveRootKey);
  const sockets = new Sockets(
    options.upgrade ?? webSockets(systemClock),
    { total: options.socketsMax ?? 1_024, perOwner: options.socketsPerOwner ?? 1_024 },
  );
  const app = createApp({
    ledger,
    accept: worker.accept,
    waiters,
    refusals: new Refusals({ ledger, clock, log }),
    throttledLog: throttledLog(log, clock),
    clock,
    newId: options.newId ?? (() => crypto.randomUUID()),
    log,
    rootKeys: () => ({ keys: rootKeys, complete: options.keysComplete ?? rootKeys.length > 0 }),
    target: "export-service",
    requiredCaveats: options.requiredCaveats ?? ["target", "path", "method", "destination"],
    checkDestination: egress.checkDestination,
    watchMemory: options.watchMemory ?? (() => () => {}),
    payloadBytesMax: options.payloadBytesMax ?? 1_048_576,
    giveUpAfterMs: options.giveUpAfterMs ?? 86_400_000,
    sockets,
    bounds: { ...BOUNDS, ...options.bounds },
    unreachableHosts: () => worker.unreachableHosts,
    metrics: options.metrics,
  });
  options.wrap?.arm();
  return new TestService(
    app,
    rawKv,
    realClock,
    ledger,
    worker,
    waiters,
    sent,
    sockets,
    events,
    options.kv === undefined,
  );
}
