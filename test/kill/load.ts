/**
 * Apps that submit without pause, each in a lane of its own, to a service that is killed under
 * them. Half of them send an `Idempotency-Key` and ask again until they are answered; the others
 * send each export once and never learn what became of one that got no answer.
 */
import { exportCaveats, mintToken } from "../../src/authorise/mint.ts";
import type { Dice } from "../fakes/dice.ts";

/** An export as its app knows it; of one without an id the app got no answer. */
export interface Submission {
  readonly n: number;
  readonly id: string | undefined;
}

/** One app: an owner who sends to one destination. */
export interface App {
  readonly name: string;
  readonly uri: string;
  readonly token: string;
  readonly insists: boolean;
  readonly submissions: Submission[];
}

/** One app for each owner and destination. */
export function createApps(secret: string, owners: readonly string[], uris: readonly string[]) {
  return owners.flatMap((owner, nth) =>
    uris.map((uri): App => ({
      name: `${owner} ${uri}`,
      uri,
      token: tokenFor(secret, owner, uri),
      insists: nth % 2 === 0,
      submissions: [],
    }))
  );
}

function tokenFor(secret: string, identifier: string, destination: string): string {
  const target = { target: "export-service", path: "/lp/export", method: "POST" };
  return mintToken(secret, { identifier, caveats: exportCaveats({ ...target, destination }) });
}

/** The port of the service that runs now, or will. */
export type Port = () => Promise<number>;

export class Load {
  readonly apps: readonly App[];
  readonly #port: Port;
  readonly #onAnswer: () => void;
  readonly #loops: Promise<void>[];
  #over = false;

  constructor(apps: readonly App[], dice: Dice, port: Port, onAnswer: () => void) {
    this.apps = apps;
    this.#port = port;
    this.#onAnswer = onAnswer;
    this.#loops = apps.map((app) => this.#submitOn(app, dice.another()));
  }

  /** Submits nothing new; resolves when what was begun has been answered or given up. */
  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#loops);
  }

  async #submitOn(app: App, dice: Dice): Promise<void> {
    for (let n = 0; !this.#over; n++) {
      const key = app.insists ? crypto.randomUUID() : undefined;
      let id = await this.#submit(app, n, key);
      while (id === undefined && key !== undefined) id = await this.#submit(app, n, key);
      app.submissions.push({ n, id });
      // An app has other things to do in between, or the backlog would outgrow the test.
      await new Promise((resolve) => setTimeout(resolve, 2 + dice.below(20)));
    }
  }

  /** The id, or `undefined` where the service went away instead of answering. */
  async #submit(app: App, n: number, key: string | undefined): Promise<string | undefined> {
    const data = JSON.stringify({ app: app.name, n });
    const headers = { ...(key !== undefined && { "idempotency-key": key }) };
    const port = await this.#port();
    try {
      const { id } = await ask(port, app, { id: "", data }, headers);
      this.#onAnswer();
      return id;
    } catch (error) {
      if (error instanceof Unexpected) throw error;
      return undefined;
    }
  }
}

/** The service answered, and not as it should. */
class Unexpected extends Error {}

/** Asks as an app does; rejects if there is no answer, or one other than 200. */
export async function ask(
  port: number,
  { uri, token }: App,
  body: { readonly id: string; readonly data: string },
  headers: Readonly<Record<string, string>> = {},
) {
  const response = await fetch(`http://127.0.0.1:${port}/lp/export?timeout=60`, {
    method: "POST",
    headers: { ...headers, "x-api-key": token },
    body: JSON.stringify({ ...body, uri }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Unexpected(`${response.status}: ${text}`);
  return JSON.parse(text);
}
