/**
 * The root keys that tokens are verified with: derived from a given secret, or from those of an
 * arbiter, which is asked from here on.
 */
import { createAskArbiter } from "../arbiter/ask_arbiter.ts";
import {
  ARBITER_BACKOFF_BASE_MS,
  ARBITER_BACKOFF_CAP_MS,
  FORMER_SECRETS_MAX,
} from "../arbiter/arbiter_limits.ts";
import { ArbiterSecrets } from "../arbiter/arbiter_secrets.ts";
import { deriveRootKey, type RootKey } from "../authorise/macaroon.ts";
import type { Clock } from "../clock.ts";
import type { RootKeyRing } from "../http/guard.ts";
import { KvSecrets } from "../ledger/kv_secrets.ts";
import type { Log } from "../log.ts";
import type { SecretSource } from "../machine/secret_source.ts";

export interface RootKeySource {
  readonly ring: () => RootKeyRing;
  /** Stops asking the arbiter. */
  stop(): Promise<void>;
}

export interface RootKeySourceParts {
  /** Where the arbiter's secrets are stored. */
  readonly kv: Deno.Kv;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

/**
 * @param graceMs how long a former secret remains valid
 * @throws if the stored secrets cannot be read
 */
export async function openRootKeys(
  source: SecretSource,
  { kv, clock, random, log }: RootKeySourceParts,
  graceMs: number,
): Promise<RootKeySource> {
  if (source.kind !== "arbiter") {
    const ring = { keys: [deriveRootKey(source.secret)], complete: true };
    return { ring: () => ring, stop: () => Promise.resolve() };
  }
  const { access } = source;
  const client = access.kind === "https" && access.ca !== undefined
    ? Deno.createHttpClient({ caCerts: [access.ca] })
    : undefined;
  const ask = createAskArbiter(access, {
    connect: Deno.connect,
    fetch: (url, init) => fetch(url, { ...init, ...(client !== undefined && { client }) }),
    randomBytes: (size) => crypto.getRandomValues(new Uint8Array(size)),
    clock,
  });
  const secrets = new ArbiterSecrets({
    fetchSecret: ask,
    endpoint: access.endpoint.href,
    store: new KvSecrets(kv),
    clock,
    random,
    log,
    policy: {
      graceMs,
      formerMax: FORMER_SECRETS_MAX,
      backoffBaseMs: ARBITER_BACKOFF_BASE_MS,
      backoffCapMs: ARBITER_BACKOFF_CAP_MS,
    },
  });
  await secrets.start();
  const keys = new Map<string, RootKey>();
  // Memoised: verified tokens are remembered by the identity of their key.
  const keyOf = (secret: string) => {
    const key = keys.get(secret) ?? deriveRootKey(secret);
    keys.set(secret, key);
    return key;
  };
  return {
    ring: () => ({ keys: secrets.secrets().map(keyOf), complete: secrets.ready }),
    async stop() {
      await secrets.stop();
      client?.close();
    },
  };
}
