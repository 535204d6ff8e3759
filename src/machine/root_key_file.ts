/**
 * The root key of a service that runs standalone: random, made at the first start, kept in a file
 * that only its owner can read. Never prints it.
 */
import { Buffer } from "node:buffer";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { explained } from "./file_faults.ts";
import { requireWritableFolder } from "./writable.ts";

/** Bytes of randomness: as many as the output of the HMAC that they key. */
const KEY_BYTES = 32;

/** Where the root key of the store at `kvPath` lies: beside it. */
export function rootKeyPath(kvPath: string): string {
  return join(kvPath === ":memory:" ? "data" : dirname(kvPath), "root.key");
}

const EMPTY = "it is empty; restore it from the backup, or delete it, which voids all tokens";

/** The key in the file, or `undefined` if there is none. */
export async function readRootKey(path: string): Promise<string | undefined> {
  try {
    const key = (await Deno.readTextFile(path)).trim();
    if (key === "") throw new Error(`Cannot use the root key in "${path}": ${EMPTY}`);
    return key;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw explained("read", path, error);
  }
}

/** The key in the file; both are created if there is none. */
export async function obtainRootKey(path: string): Promise<string> {
  const known = await readRootKey(path);
  if (known !== undefined) return known;
  const key = Buffer.from(crypto.getRandomValues(new Uint8Array(KEY_BYTES))).toString("base64url");
  const folder = dirname(path);
  await requireWritableFolder(folder);
  // Written elsewhere and linked into place, so that the file is never seen half written, not even
  // after a power cut; a temporary file is readable by its owner only, also under its new name.
  const draft = await Deno.makeTempFile({ dir: folder });
  try {
    await writeFile(draft, `${key}\n`, { flush: true });
    await Deno.link(draft, path);
    return key;
  } catch (error) {
    // Another first start was quicker: use its key.
    if (error instanceof Deno.errors.AlreadyExists) return await obtainRootKey(path);
    throw explained("write to", folder, error);
  } finally {
    await Deno.remove(draft);
  }
}
