/** Trouble that comes by the dice, more or less of it, until the service crashes. */
import type { Dice } from "../fakes/dice.ts";
import type { FakeClock } from "../fakes/fake_clock.ts";
import { type FaultKind, type Sort, Troubled } from "../fakes/fault.ts";

export class Chance extends Troubled {
  /** How likely a call is to go wrong, 0 to 1. */
  level = 0;
  #dead = false;
  readonly #dice: Dice;

  constructor(dice: Dice, clock: FakeClock) {
    super(clock);
    this.#dice = dice;
  }

  get dead(): boolean {
    return this.#dead;
  }

  crash(): void {
    this.#dead = true;
  }

  protected override next(sort: Sort): FaultKind | undefined {
    if (this.#dead) return "crashes";
    if (this.#dice.next() >= this.level) return undefined;
    return sort === "timer" ? "stalls" : this.#dice.pick(["fails", "lies", "stalls"]);
  }
}
