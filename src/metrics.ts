/**
 * Figures for whoever runs the service, in Prometheus' text format: what the log tells, counted, and
 * what is so at the moment. No other part knows that it is counted. Never names an owner, a host or an
 * export.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { Log, LogEvent } from "./log.ts";

/** What is so at the moment. */
export interface Present {
  /** Exports accepted and not finished, and the bytes that they have to deliver. */
  open(): { readonly exports: number; readonly bytes: number };
  waitingPolls(): number;
  openSockets(): number;
  unreachableHosts(): number;
  /** Resident memory of the process, bytes. */
  memoryBytes(): number;
}

const PREFIX = "databox_export_";
/** From what a destination on the same network takes to what `EXPORT_ATTEMPT_TIMEOUT` lets it take. */
const ATTEMPT_SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 10, 30, 120];
/** The same, and what backoff makes of it. */
const OUTCOME_SECONDS = [0.01, 0.05, 0.25, 1, 5, 30, 300, 3_600, 86_400];

export class Metrics {
  readonly #registry = new Registry();
  readonly #events = this.#counter("events_total", "Lines of the log, by event.", ["event"]);
  readonly #refusals = this.#counter(
    "refusals_total",
    "Requests to export that were not permitted, by reason; `omitted` are those only counted.",
    ["reason"],
  );
  readonly #acceptedBytes = this.#counter("accepted_bytes_total", "Bytes of `data` accepted.");
  readonly #responses = this.#counter("responses_total", "Answers, by HTTP status.", ["status"]);
  readonly #attempts = this.#histogram(
    "attempt_seconds",
    "How long attempts took, by what came of them.",
    ATTEMPT_SECONDS,
  );
  readonly #outcomes = this.#histogram(
    "outcome_seconds",
    "Time from acceptance to the end of an export, by what came of it.",
    OUTCOME_SECONDS,
  );

  /** What is to be used in the place of `log`. What cannot be counted is not, and nothing else is lost. */
  countingLog(log: Log): Log {
    return (event) => {
      log(event);
      try {
        this.#count(event);
      } catch {
        // A field that is no number: the line says what it is.
      }
    };
  }

  /** What is to be used in the place of `handler`. */
  countingAnswers(
    handler: (request: Request) => Response | Promise<Response>,
  ): (request: Request) => Promise<Response> {
    return async (request) => {
      const response = await handler(request);
      this.#responses.inc({ status: response.status });
      return response;
    };
  }

  /** Has what is so at the moment told too. */
  watch(present: Present): void {
    this.#gauge("open_exports", "Exports accepted and not finished.", () => present.open().exports);
    this.#gauge("open_bytes", "Bytes that they have to deliver.", () => present.open().bytes);
    this.#gauge("waiting_polls", "Polls that wait for a change.", present.waitingPolls);
    this.#gauge("open_sockets", "Open WebSockets.", present.openSockets);
    this.#gauge(
      "unreachable_hosts",
      "Destination hosts that nobody reaches at present.",
      present.unreachableHosts,
    );
    this.#gauge("memory_bytes", "Resident memory of the process.", present.memoryBytes);
  }

  /** All of it, as `text/plain; version=0.0.4`. */
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
      case "delivery.attempted":
        this.#attempts.observe({ outcome: outcomeOf(line) }, numberIn(line.ms) / 1_000);
        return this.#countOutcome(outcomeOf(line), line);
      case "delivery.lapsed":
        return this.#countOutcome("interrupted", line);
    }
  }

  #countOutcome(outcome: string, { next, ageMs }: LogEvent): void {
    if (next === "finished") this.#outcomes.observe({ outcome }, numberIn(ageMs) / 1_000);
  }

  #counter<L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.#registry] });
  }

  #histogram(name: string, help: string, buckets: number[]): Histogram<"outcome"> {
    const labelNames = ["outcome"] as const;
    const registers = [this.#registry];
    return new Histogram({ name: PREFIX + name, help, buckets, labelNames, registers });
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: PREFIX + name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }
}

/** The class of an answer's status, such as `2xx`, or the code of a failure. */
function outcomeOf({ kind, status, code }: LogEvent): string {
  return kind === "answered" ? `${String(status).charAt(0)}xx` : String(code);
}

function numberIn(field: unknown): number {
  if (typeof field === "number") return field;
  throw new TypeError("Cannot count what is no number");
}
