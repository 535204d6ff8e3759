/**
 * Gives everybody else a turn while parts of bodies come without a pause: the runtime lets no timer
 * run between them, and so accepts and answers nothing. Never looks at what a part holds.
 */
import type { Clock } from "../clock.ts";
import { BODY_PARTS_A_TURN, LONG_PART_BYTES, SHORT_PART_COST_MAX } from "../limits.ts";

interface Turn {
  /** What all bodies together may still read in it. */
  left: number;
  readonly over: Promise<void>;
}

/** The turns of all bodies: one for the whole process. */
export class Turns {
  readonly #clock: Clock;
  #turn: Turn | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when more may be read after a part of `bytes`; `undefined` if that is at once. */
  after(bytes: number): Promise<void> | undefined {
    const turn = this.#turn ??= this.#begin();
    turn.left -= Math.min(SHORT_PART_COST_MAX, Math.ceil(LONG_PART_BYTES / bytes));
    return turn.left > 0 ? undefined : turn.over;
  }

  #begin(): Turn {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#clock.after(0, () => {
      this.#turn = undefined;
      resolve();
    });
    return { left: BODY_PARTS_A_TURN, over };
  }
}
