/**
 * The secrets that tokens may be signed with, all in one value of the store. Never overwrites what
 * it cannot read, and never puts a secret in an error.
 */
import { keys } from "./keys.ts";

/** A secret as stored. */
export interface StoredSecret {
  readonly secret: string;
  /** When it was replaced, ms since the epoch; absent for the present one. */
  readonly formerSince?: number;
}

/** Version of the stored format. A newer one is refused, never guessed at. */
const SCHEMA = 1;

interface StoredSecrets {
  readonly v: typeof SCHEMA;
  readonly secrets: readonly StoredSecret[];
}

export class KvSecrets {
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  /**
   * All stored secrets, as they were given to {@link keep}.
   *
   * @throws if the store holds something else
   */
  async load(): Promise<readonly StoredSecret[]> {
    const { value } = await this.#kv.get(keys.secrets());
    return value === null ? [] : decodeSecrets(value);
  }

  /**
   * Replaces all stored secrets with `secrets`.
   *
   * @throws if the stored secrets cannot be read
   */
  async keep(secrets: readonly StoredSecret[]): Promise<void> {
    await this.load();
    await this.#kv.set(keys.secrets(), encodeSecrets(secrets));
  }
}

/** JSON as bytes: an arbiter's secret contains nothing that JSON would escape. */
function encodeSecrets(secrets: readonly StoredSecret[]): Uint8Array {
  const stored: StoredSecrets = { v: SCHEMA, secrets };
  return new TextEncoder().encode(JSON.stringify(stored));
}

function decodeSecrets(value: unknown): readonly StoredSecret[] {
  const stored = value instanceof Uint8Array ? parse(value) : undefined;
  if (isRecord(stored) && typeof stored.v === "number" && stored.v !== SCHEMA) {
    throw new Error(
      `Cannot read the former secrets, of schema ${stored.v}: this version knows ${SCHEMA}; ` +
        `start the version that wrote them`,
    );
  }
  if (!isStored(stored)) {
    throw new Error("Cannot read the former secrets: what the store holds is damaged");
  }
  return stored.secrets;
}

/** The parsed `bytes`, or `undefined`: an error of the parser would quote them. */
function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}

function isStored(value: unknown): value is StoredSecrets {
  return isRecord(value) && value.v === SCHEMA && Array.isArray(value.secrets) &&
    value.secrets.every(isSecret);
}

function isSecret(value: unknown): value is StoredSecret {
  return isRecord(value) && typeof value.secret === "string" && value.secret !== "" &&
    (value.formerSince === undefined || typeof value.formerSince === "number");
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
