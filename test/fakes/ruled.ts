/** A service whose store does what a test's rule says, on a clock that the test holds. */
import type { SendResult } from "../../src/deliver/attempt.ts";
import { FakeClock } from "./fake_clock.ts";
import { pass, type Trouble } from "./fault.ts";
import { openTestService, type TestServiceOptions } from "./test_service.ts";

/** What the rule says of a call to the store happens to it. */
export class Ruled implements Trouble {
  running = 0;
  readonly dead = false;
  rule: () => "fails" | "lies" | undefined = () => undefined;

  async pass<T>(call: () => Promise<T>, sort = "call"): Promise<T> {
    const fault = sort === "call" ? this.rule() : undefined;
    if (fault === "fails") throw new TypeError("The call fails");
    const counted = sort === "send" ? 0 : 1;
    this.running += counted;
    try {
      const answer = await call();
      if (fault === "lies") throw new TypeError("The call lies");
      return answer;
    } finally {
      this.running -= counted;
    }
  }

  passNow<T>(call: () => T): T {
    return call();
  }

  /** The next call fails, and no other. */
  failOnce(): void {
    let isNext = true;
    this.rule = () => {
      const fault = isNext ? "fails" as const : undefined;
      isNext = false;
      return fault;
    };
  }
}

export async function openRuled(options: TestServiceOptions = {}) {
  const clock = options.clock ?? new FakeClock();
  const trouble = new Ruled();
  const service = await openTestService({ ...options, clock, trouble });
  return { clock, trouble, service, pass: (ms: number) => pass(ms, clock, trouble) };
}

/** A destination that takes until the process ends. */
export function hang({ signal }: { readonly signal: AbortSignal }): Promise<SendResult> {
  return new Promise((resolve) => {
    const stop = () => resolve({ kind: "failed", code: "stopped" });
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
  });
}

/** Ends a service without its store, as a kill would: what was in flight is left to its lease. */
export async function killRuled(
  { service, clock }: Pick<Awaited<ReturnType<typeof openRuled>>, "service" | "clock">,
): Promise<void> {
  const stopped = service.worker.stop(0);
  clock.advance(1);
  await stopped;
  await service.ledger.close();
  service.waiters.close();
}

/** `kv` with some of its members replaced. */
export function having(kv: Deno.Kv, members: Partial<Record<keyof Deno.Kv, unknown>>): Deno.Kv {
  return new Proxy(kv, {
    get(target, name) {
      if (name in members) return Reflect.get(members, name);
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
