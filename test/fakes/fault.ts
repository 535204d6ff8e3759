/**
 * What goes wrong, and when. A call fails; or it lies: it does what it was asked and reports
 * failure; or it stalls: it is carried out, but only after a time in which every lease runs out;
 * or everything crashes: that call and every later one fail.
 */
import { FakeClock } from "./fake_clock.ts";

export type FaultKind = "fails" | "lies" | "stalls" | "crashes";

/** How long a call stalls: longer than any attempt or lease. */
export const STALL_MS = 120_000;

/** What is called: the store and its like; a timer, which no machine refuses to set; a destination. */
export type Sort = "call" | "timer" | "send";

/** Stands before every call to the world outside, and may spoil it. */
export interface Trouble {
  pass<T>(call: () => Promise<T>, sort?: Sort): Promise<T>;
  /** The same for a call that answers at once; where it stalls, `late` takes its place. */
  passNow<T>(call: () => T, late: () => T, sort?: Sort): T;
  /**
   * Calls in progress: while there are any, more is to come by itself. Not counted is what may
   * wait for time to pass: calls that stall, and destinations.
   */
  readonly running: number;
  /** Nothing more is done: no call, and no action of a timer. */
  readonly dead: boolean;
}

/** What all kinds of trouble share: when a call is hit is up to them. */
export abstract class Troubled implements Trouble {
  readonly #clock: FakeClock;
  #running = 0;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  /** What happens to the next call, if anything. */
  protected abstract next(sort: Sort): FaultKind | undefined;
  abstract readonly dead: boolean;

  get running(): number {
    return this.#running;
  }

  async pass<T>(call: () => Promise<T>, sort: Sort = "call"): Promise<T> {
    const fault = this.next(sort);
    if (fault === "fails" || fault === "crashes") throw new TypeError(`The call ${fault}`);
    if (fault === "stalls") {
      await new Promise<void>((resolve) => this.#clock.after(STALL_MS, resolve));
      if (this.dead) throw new TypeError("The call crashes");
    }
    const counted = sort === "send" ? 0 : 1;
    this.#running += counted;
    try {
      const answer = await call();
      if (fault === "lies") throw new TypeError("The call lies");
      return answer;
    } finally {
      this.#running -= counted;
    }
  }

  passNow<T>(call: () => T, late: () => T, sort: Sort = "call"): T {
    const fault = this.next(sort);
    if (fault === "fails" || fault === "crashes") throw new TypeError(`The call ${fault}`);
    if (fault === "stalls") return late();
    const answer = call();
    if (fault === "lies") throw new TypeError("The call lies");
    return answer;
  }
}

/** The n-th call goes wrong, counted from when it is armed. */
export class Fault extends Troubled {
  readonly #kind: FaultKind;
  readonly #nth: number;
  /** What went wrong last. */
  hit: Sort | undefined;
  #calls = 0;
  #armed = false;

  constructor(kind: FaultKind, nth: number, clock = new FakeClock()) {
    super(clock);
    this.#kind = kind;
    this.#nth = nth;
  }

  /** Counts from now on. */
  arm(): void {
    this.#armed = true;
  }

  /** Lets everything pass from now on. */
  disarm(): void {
    this.#armed = false;
  }

  /** Whether the run was long enough for the fault to happen. */
  get happened(): boolean {
    return this.#calls >= this.#nth;
  }

  get dead(): boolean {
    return this.#armed && this.#kind === "crashes" && this.happened;
  }

  protected override next(sort: Sort): FaultKind | undefined {
    if (!this.#armed) return undefined;
    this.#calls++;
    const hit = this.#kind === "crashes" ? this.happened : this.#calls === this.#nth;
    if (hit) this.hit = sort;
    return hit ? this.#kind : undefined;
  }
}

/** Resolves when nothing more happens by itself: only time can help then. */
export async function quiet(trouble: Pick<Trouble, "running">): Promise<void> {
  // A few turns of the event loop: a request's body, or a watch, may take one to come along.
  for (let still = 0; still < 4; still++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (trouble.running > 0) still = -1;
  }
}

/** Timers that a test may need to pass an hour; more are a loop without a pause. */
const STEPS_MAX = 20_000;

/** Lets `ms` pass, from one timer to the next, and everything happen that comes of them. */
export async function pass(ms: number, clock: FakeClock, trouble: Trouble): Promise<void> {
  const end = clock.elapsed + ms;
  await quiet(trouble);
  for (let steps = 0; clock.elapsed < end; steps++) {
    if (steps > STEPS_MAX) {
      throw new Error(`Time stands still at ${clock.elapsed}: something spins`);
    }
    clock.advance(Math.min(clock.untilNext ?? Infinity, end - clock.elapsed));
    await quiet(trouble);
  }
}
