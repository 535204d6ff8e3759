/**
 * Wake-ups through Deno KV's own queue, for a store in a file or in memory. The queue is the alarm
 * clock, not the work list: it is slow (about 1,000 messages a second, 50 ms each), so wake-ups of
 * the same lane and second share one message. Never looks at the work itself.
 */
import type { Clock } from "../clock.ts";
import { WAKE_UP_DELAY_MAX_MS, WAKE_UP_GRAIN_MS } from "./store_limits.ts";
import type { Bell, WakeUp } from "./bell.ts";

interface Message {
  readonly kind: "wake-up";
  readonly at: number;
  readonly lanes: readonly string[];
}

export class KvQueueBell implements Bell {
  readonly #kv: Deno.Kv;
  readonly #clock: Clock;
  /** Lanes with a committed message, by the moment it falls due. */
  readonly #armed = new Map<number, Set<string>>();
  #ring: (lanes: readonly string[]) => void = () => {};

  constructor(kv: Deno.Kv, clock: Clock) {
    this.#kv = kv;
    this.#clock = clock;
  }

  arm(commit: Deno.AtomicOperation, wakeUps: readonly WakeUp[]): () => void {
    const now = this.#clock.now();
    const messages = this.#missing(wakeUps, now);
    for (const [at, lanes] of messages) {
      const message: Message = { kind: "wake-up", at, lanes: [...lanes] };
      commit.enqueue(message, { delay: Math.min(at - now, WAKE_UP_DELAY_MAX_MS) });
    }
    return () => {
      for (const [at, lanes] of messages) this.#note(at, lanes);
      const due = new Set(wakeUps.filter(({ at }) => at <= now).map(({ lane }) => lane));
      if (due.size > 0) this.#ring([...due]);
    };
  }

  onRing(ring: (lanes: readonly string[]) => void): void {
    this.#ring = ring;
  }

  listen(): void {
    // The promise ends when the store is closed; a failing queue ends the process by itself.
    void this.#kv.listenQueue((message: unknown) => {
      if (!isMessage(message)) return;
      this.#forget(message.at);
      this.#ring(message.lanes);
    });
  }

  /** The wake-ups that no committed message covers, by the moment their message falls due. */
  #missing(wakeUps: readonly WakeUp[], now: number): Map<number, Set<string>> {
    const missing = new Map<number, Set<string>>();
    for (const { lane, at } of wakeUps) {
      const moment = Math.ceil((Math.max(at, now) + 1) / WAKE_UP_GRAIN_MS) * WAKE_UP_GRAIN_MS;
      if (this.#armed.get(moment)?.has(lane)) continue;
      const lanes = missing.get(moment) ?? new Set();
      missing.set(moment, lanes.add(lane));
    }
    return missing;
  }

  #note(at: number, lanes: ReadonlySet<string>): void {
    const known = this.#armed.get(at) ?? new Set();
    for (const lane of lanes) known.add(lane);
    this.#armed.set(at, known);
  }

  /** Forgets messages that have rung, and those that should have rung earlier. */
  #forget(rung: number): void {
    for (const at of this.#armed.keys()) {
      if (at <= rung) this.#armed.delete(at);
    }
  }
}

function isMessage(message: unknown): message is Message {
  return typeof message === "object" && message !== null && "kind" in message &&
    message.kind === "wake-up";
}
