/**
 * The secrets that tokens may be signed with: the arbiter's present one, requested at each start
 * until it is there, and former ones in their grace period. Never asks again once it has one, since
 * asking makes the arbiter forget it; never logs a secret.
 */
import type { Clock } from "../clock.ts";
import { pause } from "../deadline.ts";
import type { Log } from "../log.ts";
import { type ArbiterFault, failed, type FetchedSecret } from "./fetched_secret.ts";
import { type KeepPolicy, type KeptSecret, usable, withPresent } from "./kept_secrets.ts";

/** Where secrets are kept across restarts. */
export interface SecretStore {
  load(): Promise<readonly KeptSecret[]>;
  /** Replaces all kept secrets with `secrets`, whole or not at all. */
  keep(secrets: readonly KeptSecret[]): Promise<void>;
}

export interface ArbiterSecretsParts {
  /** Asks the arbiter once, within its own time limit; a failure is returned, not thrown. */
  readonly fetchSecret: (signal: AbortSignal) => Promise<FetchedSecret>;
  /** The arbiter's address, for the log. */
  readonly endpoint: string;
  readonly store: SecretStore;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly policy: KeepPolicy & {
    readonly backoffBaseMs: number;
    readonly backoffCapMs: number;
  };
}

interface Failure {
  readonly code: ArbiterFault | "store_failed";
  readonly detail: string;
}

export class ArbiterSecrets {
  readonly #parts: ArbiterSecretsParts;
  readonly #stopping = new AbortController();
  #kept: readonly KeptSecret[] = [];
  /** Fetched but not yet kept; another request would invalidate it. */
  #fetched: string | undefined;
  #ready = false;
  #obtaining: Promise<void> = Promise.resolve();

  constructor(parts: ArbiterSecretsParts) {
    this.#parts = parts;
  }

  /**
   * Resolves once the former secrets are loaded, and keeps asking for the present one. Throws if
   * the store cannot be read: what is stored there must not be overwritten.
   */
  async start(): Promise<void> {
    this.#kept = await this.#parts.store.load();
    this.#obtaining = this.#obtain();
  }

  /** Whether the arbiter has supplied the secret that it signs with now. */
  get ready(): boolean {
    return this.#ready;
  }

  /** The present secret first, then former ones still in their grace period. */
  secrets(): readonly string[] {
    const { clock, policy } = this.#parts;
    return usable(this.#kept, clock.now(), policy).map(({ secret }) => secret);
  }

  /** Stops asking; once it resolves, no timer and no unfinished write is left behind. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#obtaining;
  }

  async #obtain(): Promise<void> {
    const { endpoint, log, random, policy } = this.#parts;
    for (let attempt = 1; !this.#stopping.signal.aborted; attempt++) {
      const failure = await this.#attempt();
      if (failure === undefined) {
        return log({ event: "root_key.obtained", attempt, former: this.#kept.length - 1 });
      }
      if (this.#stopping.signal.aborted) return;
      const retryMs = fullJitterMs(policy, attempt, random());
      log({ event: "root_key.failed", endpoint, attempt, ...failure, retryMs });
      await pause(this.#parts.clock, retryMs, this.#stopping.signal);
    }
  }

  /** Asks once, or tries again to keep a secret that was already fetched. */
  async #attempt(): Promise<Failure | undefined> {
    const { store, clock, policy } = this.#parts;
    if (this.#fetched === undefined) {
      const answer = await this.#ask();
      if (answer.kind === "failed") return { code: answer.code, detail: answer.detail };
      this.#fetched = answer.secret;
    }
    const kept = withPresent(this.#kept, this.#fetched, clock.now(), policy);
    try {
      // Kept before it is used: a token that is valid now must be valid after a crash.
      await store.keep(kept);
    } catch (error) {
      return { code: "store_failed", detail: nameOf(error) };
    }
    this.#kept = kept;
    this.#ready = true;
    return undefined;
  }

  async #ask(): Promise<FetchedSecret> {
    try {
      return await this.#parts.fetchSecret(this.#stopping.signal);
    } catch (error) {
      // Nothing awaits this loop, so an exception would end the process over one attempt.
      return failed("unexpected", nameOf(error));
    }
  }
}

/** Random up to a bound that doubles with each failure: services started together drift apart. */
function fullJitterMs(
  { backoffBaseMs, backoffCapMs }: ArbiterSecretsParts["policy"],
  failures: number,
  chance: number,
): number {
  return Math.round(Math.min(backoffCapMs, backoffBaseMs * 2 ** (failures - 1)) * chance);
}

/** Only the name of an error: its message may quote what was to be kept. */
function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
