/** Destinations that note what arrives, and how soon after a start the work went on. */
import { DestinationServer } from "../fakes/destination_server.ts";
import type { Dice } from "../fakes/dice.ts";
import { defined } from "../fakes/expect.ts";

export interface Sighting {
  readonly id: string;
  readonly n: number;
}

export class Witness implements AsyncDisposable {
  readonly #servers: readonly DestinationServer[];
  readonly #dice: Dice;
  readonly #onArrival: () => void;
  /** What arrived of each app, in the order of its arrival. */
  readonly sightings = new Map<string, Sighting[]>();
  #startedAt = 0;
  #owed = new Set<string>();
  /** Milliseconds from a start to the first arrival of an app whose exports were waiting then. */
  readonly resumedAfterMs: number[] = [];

  constructor(destinations: number, dice: Dice, onArrival: () => void) {
    this.#dice = dice;
    this.#onArrival = onArrival;
    this.#servers = Array.from(
      { length: destinations },
      () => new DestinationServer(({ body, headers }) => this.#see(body, headers)),
    );
  }

  uris(): string[] {
    return this.#servers.map((server) => server.uri("/in"));
  }

  /** A service starts now; exports of the apps named `owed` are waiting for it. */
  start(owed: readonly string[]): void {
    this.#startedAt = performance.now();
    this.#owed = new Set(owed);
  }

  /** Whether every app that was owed something at the last start has seen work go on. */
  get resumed(): boolean {
    return this.#owed.size === 0;
  }

  /** Whether the export `n` of an app has arrived. */
  hasSeen(app: string, n: number): boolean {
    return this.sightings.get(app)?.some((sighting) => sighting.n === n) ?? false;
  }

  async #see(body: string, headers: Headers): Promise<Response> {
    const { app, n } = JSON.parse(body);
    const id = defined(headers.get("idempotency-key"));
    const seen = this.sightings.get(app) ?? [];
    seen.push({ id, n });
    this.sightings.set(app, seen);
    if (this.#owed.delete(app)) this.resumedAfterMs.push(performance.now() - this.#startedAt);
    this.#onArrival();
    // Destinations take a while, so that a kill finds something in flight.
    await new Promise((resolve) => setTimeout(resolve, this.#dice.below(30)));
    return new Response(`seen ${n}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#servers.map((server) => server[Symbol.asyncDispose]()));
  }
}
