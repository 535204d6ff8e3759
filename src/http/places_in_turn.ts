/**
 * Places that callers wait for, first come, first served, up to a deadline; for work that holds
 * them only for moments. A caller that waits for its own owner's places keeps nobody else waiting.
 */
import { type Deadline, withDeadline } from "../deadline.ts";
import { type GiveBack, type PlaceBounds, Places } from "./places.ts";

interface Waiting {
  readonly owner: string;
  readonly count: number;
  readonly begin: () => void;
  /** Gives the places back, once they are taken. */
  leave?: GiveBack;
}

export class PlacesInTurn {
  readonly #places: Places;
  /** In order of arrival. */
  readonly #line = new Set<Waiting>();
  readonly #linePlaces: Places;

  /** @param line how many may wait */
  constructor(bounds: PlaceBounds, line: PlaceBounds) {
    this.#places = new Places(bounds);
    this.#linePlaces = new Places(line);
  }

  /** How many are taken at this moment. */
  get taken(): number {
    return this.#places.taken;
  }

  /**
   * Takes `count` places for `owner` as soon as there are enough, and returns how to give them
   * back; `undefined` if there are not enough in time, or too many wait. A `count` above what an
   * owner may have is reduced to that.
   */
  async take(owner: string, count: number, wait: Deadline): Promise<GiveBack | undefined> {
    const leaveLine = this.#linePlaces.take(owner);
    if (leaveLine === undefined) return undefined;
    const turn = Promise.withResolvers<void>();
    const most = this.#places.most;
    const waiting: Waiting = { owner, count: Math.min(count, most), begin: turn.resolve };
    this.#line.add(waiting);
    // If there is no room for this one, nobody ahead of it has more room than before either.
    if (this.#places.has(owner, waiting.count)) this.#serve();
    await withDeadline(wait, () => turn.promise);
    leaveLine();
    // If it gave up at the head of the line, it may have been all that the next ones waited for.
    if (this.#line.delete(waiting)) this.#serve();
    return waiting.leave;
  }

  #serve(): void {
    for (const waiting of this.#line) {
      const { owner, count } = waiting;
      if (!this.#places.mayHave(owner, count)) continue;
      const leave = this.#places.take(owner, count);
      // Smaller ones behind it would overtake it for ever.
      if (leave === undefined) return;
      this.#line.delete(waiting);
      waiting.leave = (kept) => {
        leave(kept);
        this.#serve();
      };
      waiting.begin();
    }
  }
}
