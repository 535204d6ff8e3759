/**
 * What tokens are verified with: the secret that is given, or those that an arbiter tells, which is
 * asked from here on.
 */
import { createAskArbiter } from "../arbiter/ask_arbiter.ts";
import {
  ARBITER_BACKOFF_BASE_MS,
  ARBITER_BACKOFF_CAP_MS,
  FORMER_SECRETS_MAX,
} from "../arbiter/arbiter_limits.ts";
import { RootKeys } from "../arbiter/root_keys.ts";
import { deriveRootKey, type RootKey } from "../authorise/macaroon.ts";
import type { Clock } from "../clock.ts";
import type { RootKeyRing } from "../http/guard.ts";
import { KvSecrets } from "../ledger/kv_secrets.ts";
import type { Log } from "../log.ts";
import type { SecretSource } from "../machine/secret_source.ts";

/** The keys of the moment. */
export interface Secrets {
  readonly ring: () => RootKeyRing;
  stop(): Promise<void>;
}

export interface SecretsParts {
  /** Where secrets of the arbiter are kept. */
  readonly kv: Deno.Kv;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  /** How long a former secret is good. */
  readonly graceMs: number;
}

export async function openSecrets(
  source: SecretSource,
  { kv, clock, random, log, graceMs }: SecretsParts,
): Promise<Secrets> {
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
  const rootKeys = new RootKeys({
    fetchSecret: ask,
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
  await rootKeys.start();
  const keys = new Map<string, RootKey>();
  // The same key each time: what it has verified is known by it.
  const keyOf = (secret: string) => {
    const key = keys.get(secret) ?? deriveRootKey(secret);
    keys.set(secret, key);
    return key;
  };
  return {
    ring: () => ({ keys: rootKeys.secrets().map(keyOf), complete: rootKeys.ready }),
    async stop() {
      await rootKeys.stop();
      client?.close();
    },
  };
}
