/**
 * Which hosts cannot be reached. A host that failed several times in a row is tried by one export
 * at a time, at intervals, until it responds in any way. Kept in memory only: it is learnt again by
 * use. Never decides what becomes of an export.
 */
import type { Outcome } from "../exports/record.ts";
import { HOST_FAILURES_MAX, HOST_PROBE_INTERVAL_MS, HOSTS_REMEMBERED_MAX } from "../limits.ts";

/** What is known of a host that failed. */
interface HostState {
  /** Failures since it last responded. */
  readonly failures: number;
  /** Not to be tried before this, once it counts as unreachable. */
  readonly probeAt: number;
}

/** Whether an attempt reached its host; `undefined` if it never tried to. */
export function reached(outcome: Outcome): boolean | undefined {
  if (outcome.kind === "answered") return true;
  switch (outcome.code) {
    case "dns_error":
    case "connection_refused":
    case "unreachable":
    case "timed_out":
      return false;
    case "destination_refused":
    case "data_damaged":
      return undefined;
    // It hung up or sent nonsense, so it can be reached.
    case "connection_lost":
    case "tls_error":
    case "certificate_invalid":
    case "invalid_answer":
      return true;
  }
}

function isUnreachable(state: HostState | undefined): state is HostState {
  return state !== undefined && state.failures >= HOST_FAILURES_MAX;
}

/**
 * Milliseconds until a host in this state may be tried; 0 if now.
 *
 * @param longestMs a wait longer than this was set by a clock that has since been put back
 */
function waitMs(state: HostState | undefined, now: number, longestMs: number): number {
  if (!isUnreachable(state)) return 0;
  const ms = state.probeAt - now;
  return ms > 0 && ms <= longestMs ? ms : 0;
}

/** What an attempt's outcome changed for its host. */
export interface Lesson {
  readonly change: "unreachable" | "reachable" | undefined;
  /** Lanes that are held back no longer. */
  readonly lanes: readonly string[];
}

export class HostHealth {
  /** A probe without an outcome for this long is lost. */
  readonly #probeMs: number;
  readonly #states = new Map<string, HostState>();
  /** Lanes that are held back, by host. */
  readonly #heldBack = new Map<string, Set<string>>();

  constructor(probeMs: number) {
    this.#probeMs = probeMs;
  }

  /** Lanes that are held back at this moment. */
  get heldBack(): number {
    return [...this.#heldBack.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Hosts that count as unreachable. */
  get unreachable(): number {
    return [...this.#states.values()].filter(isUnreachable).length;
  }

  /** Whether `host` is to be tried by probes only. */
  isUnreachable(host: string): boolean {
    return isUnreachable(this.#states.get(host));
  }

  /**
   * Returns 0 if `lane` may try `host` now, otherwise how many milliseconds to hold it back. A lane
   * let through to an unreachable host is its probe; others wait for the outcome.
   */
  admit(host: string, lane: string, now: number): number {
    const state = this.#states.get(host);
    const ms = waitMs(state, now, Math.max(this.#probeMs, HOST_PROBE_INTERVAL_MS));
    if (ms > 0) {
      this.#heldBack.set(host, (this.#heldBack.get(host) ?? new Set()).add(lane));
    } else if (isUnreachable(state)) {
      this.#states.set(host, { ...state, probeAt: now + this.#probeMs });
    }
    return ms;
  }

  /** Learns how an attempt of `lane` ended; the lane is held back no longer. */
  learn(host: string, lane: string, outcome: Outcome, now: number): Lesson {
    const held = this.#heldBack.get(host);
    held?.delete(lane);
    const before = isUnreachable(this.#states.get(host));
    const said = reached(outcome);
    if (said === false) this.#fail(host, now);
    if (said === true) this.#states.delete(host);
    const after = isUnreachable(this.#states.get(host));
    const lanes = before && !after ? [...held ?? []] : [];
    if (!after || held?.size === 0) this.#heldBack.delete(host);
    if (before === after) return { change: undefined, lanes };
    return { change: after ? "unreachable" : "reachable", lanes };
  }

  #fail(host: string, now: number): void {
    const failures = (this.#states.get(host)?.failures ?? 0) + 1;
    this.#states.delete(host);
    this.#states.set(host, { failures, probeAt: now + HOST_PROBE_INTERVAL_MS });
    const [oldest] = this.#states.keys();
    if (this.#states.size <= HOSTS_REMEMBERED_MAX || oldest === undefined) return;
    this.#states.delete(oldest);
    this.#heldBack.delete(oldest);
  }
}
