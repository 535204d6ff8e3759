/**
 * Metrics for the operator, in Prometheus' text format: counts of log lines, and gauges read at
 * each scrape. No other part knows that it is counted. Never names an owner, a host or an export.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Log, LogEvent } from "./log.ts";

/** What is read at each scrape. */
export interface Gauges {
  /** Exports accepted and not finished, and the bytes that they have to deliver. */
  open(): { readonly exports: number; readonly bytes: number };
  waitingPolls(): number;
  openSockets(): number;
  unreachableHosts(): number;
  /** What is free for the store; `Infinity` for one in memory. */
  freeSpaceBytes(): Promise<number>;
  /** Resident memory of the process, bytes. */
  memoryBytes(): number;
}

const PREFIX = "databox_export_";
/** Exposed from the start, since an increase shows only against an earlier value. */
const SHOWN_AT_ZERO = [
  "bodies.dropped",
  "delivery.lapsed",
  "host.unreachable",
  "lane.failed",
  "listener.failed",
  "polls.dropped",
  "request.failed",
  "request.limited",
  "root_key.failed",
  "sockets.dropped",
  "store.failed",
];
/** From a destination on the same network to the longest `EXPORT_ATTEMPT_TIMEOUT`. */
const ATTEMPT_SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 30, 120, 600];
/** From an export that goes straight through to one that is given up after a day. */
const EXPORT_SECONDS = [0.01, 0.05, 0.25, 1, 5, 30, 300, 3_600, 86_400];

export class Metrics {
  readonly #registry = new Registry();
  readonly #events = this.#counter("events_total", "Lines of the log, by event.", ["event"]);
  readonly #refusals = this.#counter(
    "refusals_total",
    "Requests to export that were not permitted, by reason; `omitted` are those only counted.",
    ["reason"],
  );
  readonly #acceptedBytes = this.#counter("accepted_bytes_total", "Bytes of `data` accepted.");
  readonly #responses = this.#counter("responses_total", "Responses, by HTTP status.", ["status"]);
  readonly #attempts = this.#histogram(
    "attempt_seconds",
    "How long attempts took, by what came of them.",
    ATTEMPT_SECONDS,
  );
  readonly #exports = this.#histogram(
    "duration_seconds",
    "Time from acceptance to the end of an export, by what came of it.",
    EXPORT_SECONDS,
  );

  constructor() {
    for (const event of SHOWN_AT_ZERO) this.#events.inc({ event }, 0);
  }

  /** `log`, with each of its lines counted. */
  countingLog(log: Log): Log {
    return (event) => {
      log(event);
      this.#count(event);
    };
  }

  /** `handler`, with each of its responses counted. */
  countingResponses(
    handler: (request: Request) => Response | Promise<Response>,
  ): (request: Request) => Promise<Response> {
    return async (request) => {
      const response = await handler(request);
      this.#responses.inc({ status: response.status });
      return response;
    };
  }

  register(gauges: Gauges): void {
    const add = (name: string, help: string, read: Read) => this.#gauge(PREFIX + name, help, read);
    add("open_exports", "Exports accepted and not finished.", () => gauges.open().exports);
    add("open_bytes", "Bytes that they have to deliver.", () => gauges.open().bytes);
    add("waiting_polls", "Polls that wait for a change.", gauges.waitingPolls);
    add("open_sockets", "Open WebSockets.", gauges.openSockets);
    add(
      "unreachable_hosts",
      "Destination hosts that cannot be reached at present.",
      gauges.unreachableHosts,
    );
    add(
      "free_space_bytes",
      "What is free for the store, on its disk and in its file.",
      gauges.freeSpaceBytes,
    );
    // The name that every dashboard expects.
    this.#gauge("process_resident_memory_bytes", "Resident memory.", gauges.memoryBytes);
  }

  /** The content type of {@link text}. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  /** All metrics, as they are now. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  #count(line: LogEvent): void {
    const { event } = line;
    this.#events.inc({ event });
    switch (event) {
      case "export.accepted":
        return this.#acceptedBytes.inc(numberIn(line.bytes));
      case "export.refused":
        return this.#refusals.inc({ reason: String(line.reason) });
      case "refusals.omitted":
        return this.#refusals.inc({ reason: "omitted" }, numberIn(line.count));
      case "delivery.attempted": {
        const outcome = outcomeOf(line);
        this.#attempts.observe({ outcome }, numberIn(line.ms) / 1_000);
        return this.#countEnd(outcome, line);
      }
      case "delivery.lapsed":
        return this.#countEnd("interrupted", line);
    }
  }

  #countEnd(outcome: string, { next, ageMs }: LogEvent): void {
    if (next === "finished") this.#exports.observe({ outcome }, numberIn(ageMs) / 1_000);
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram<"outcome"> {
    const labelNames = ["outcome"] as const;
    const registers = [this.#registry];
    return new Histogram({ name: PREFIX + name, help, buckets, labelNames, registers });
  }

  #gauge(name: string, help: string, read: Read): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      async collect() {
        // A gauge that cannot be read must not hide the others.
        this.set(await Promise.try(read).catch(() => NaN));
      },
    });
  }
}

type Read = () => number | Promise<number>;

/** The class of an answer's status, such as `2xx`, or the code of a failure. */
function outcomeOf({ kind, status, code }: LogEvent): string {
  return kind === "answered" ? `${String(status).charAt(0)}xx` : String(code);
}

/** Anything but a number counts as zero: logging must never fail because of a metric. */
function numberIn(field: unknown): number {
  return typeof field === "number" ? field : 0;
}
