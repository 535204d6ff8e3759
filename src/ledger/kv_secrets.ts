/**
 * The arbiter's secrets in the store, so that a restart does not cost apps their tokens. Never
 * decides which of them still count.
 */
import { keys } from "./keys.ts";

/** A secret as it is kept. */
interface KeptSecret {
  readonly secret: string;
  readonly formerSince?: number;
}

/** The stored form; a later one has another version, and is not read by this one. */
interface StoredSecrets {
  readonly v: 1;
  readonly secrets: readonly KeptSecret[];
}

export class KvSecrets {
  readonly #kv: Deno.Kv;

  constructor(kv: Deno.Kv) {
    this.#kv = kv;
  }

  async load(): Promise<readonly KeptSecret[]> {
    const { value } = await this.#kv.get<StoredSecrets>(keys.secrets());
    if (value === null) return [];
    if (value.v !== 1) {
      throw new Error("Cannot read the kept secrets: a later version of the service wrote them");
    }
    return value.secrets;
  }

  /** Puts `secrets` in the place of all that were kept. */
  async keep(secrets: readonly KeptSecret[]): Promise<void> {
    const stored: StoredSecrets = { v: 1, secrets };
    await this.#kv.set(keys.secrets(), stored);
  }
}
