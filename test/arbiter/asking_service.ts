/**
 * Root keys as a service has them, on a clock that stands still and a real store; what they log is
 * read line by line.
 */
import { assertEquals } from "@std/assert";
import {
  ARBITER_BACKOFF_BASE_MS,
  ARBITER_BACKOFF_CAP_MS,
  FORMER_SECRETS_MAX,
} from "../../src/arbiter/arbiter_limits.ts";
import type { KeptSecret } from "../../src/arbiter/kept_secrets.ts";
import { DEFAULTS } from "../../src/limits.ts";
import { ArbiterSecrets, type ArbiterSecretsParts } from "../../src/arbiter/arbiter_secrets.ts";
import { KvSecrets } from "../../src/ledger/kv_secrets.ts";
import { jsonLog } from "../../src/log.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const POLICY: ArbiterSecretsParts["policy"] = {
  graceMs: DEFAULTS.secretGraceMs,
  formerMax: FORMER_SECRETS_MAX,
  backoffBaseMs: ARBITER_BACKOFF_BASE_MS,
  backoffCapMs: ARBITER_BACKOFF_CAP_MS,
};

export class AskingService implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly secrets: ArbiterSecrets;
  /** What was logged so far. */
  readonly lines: Record<string, unknown>[] = [];
  readonly #kv: Deno.Kv;
  #asked = 0;
  #onLine = () => {};

  constructor(
    kv: Deno.Kv,
    fetchSecret: ArbiterSecretsParts["fetchSecret"],
    parts: Partial<ArbiterSecretsParts> = {},
  ) {
    const write = (line: string) => {
      this.lines.push(JSON.parse(line));
      this.#onLine();
    };
    this.#kv = kv;
    this.secrets = new ArbiterSecrets({
      fetchSecret: (signal) => {
        this.#asked++;
        return fetchSecret(signal);
      },
      endpoint: "tcp://arbiter:4444",
      store: new KvSecrets(kv),
      clock: this.clock,
      random: () => 0.5,
      log: jsonLog(write, () => this.clock.now()),
      policy: POLICY,
      ...parts,
    });
  }

  /** How often the arbiter was asked, or tried to be. */
  get asked(): number {
    return this.#asked;
  }

  /** The newest line, once there are `count`. */
  async line(count: number): Promise<Record<string, unknown>> {
    while (this.lines.length < count) {
      await new Promise<void>((resolve) => this.#onLine = resolve);
    }
    assertEquals(this.lines.length, count);
    return this.lines[count - 1] ?? {};
  }

  /** Lets the delay pass that the newest line told. */
  passDelay(): void {
    this.clock.advance(Number(this.lines.at(-1)?.retryMs));
  }

  async kept(): Promise<readonly KeptSecret[]> {
    return await new KvSecrets(this.#kv).load();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.secrets.stop();
  }
}
