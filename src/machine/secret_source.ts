/**
 * Where the secret that tokens are signed with comes from: set by the operator, requested from an
 * arbiter, or this service's own. Reads files; contacts nobody. A secret has no default.
 */
import { join } from "node:path";
import type { ArbiterAccess } from "../arbiter/ask_arbiter.ts";
import type { Config } from "../config.ts";
import { explained, messageOf } from "./file_faults.ts";
import { obtainRootKey, readRootKey, rootKeyPath } from "./root_key_file.ts";
import { UsageError } from "./flags.ts";

export type SecretSource =
  | { readonly kind: "given"; readonly secret: string }
  | { readonly kind: "arbiter"; readonly access: ArbiterAccess }
  /** Without an arbiter: a random one, kept beside the store. */
  | { readonly kind: "own"; readonly secret: string; readonly isNew: boolean };

/** Where every Databox since 0.5 has its arbiter (contract 3.2). */
const DEFAULT_ENDPOINT = new URL("tcp://arbiter:4444");

/** Files that container managers hand in; the first one shows that there is an arbiter. */
const ZEST_TOKEN = "ARBITER_TOKEN";
const ZEST_SERVER_KEY = "ZMQ_PUBLIC_KEY";
const HTTPS_KEY = "DATABOX_EXPORT_SERVICE_KEY";
const ROOT_CA = "DATABOX_ROOT_CA";

/**
 * The first of: `EXPORT_SECRET`, an arbiter that is named or left its files, our own root key.
 *
 * @throws {UsageError} if an arbiter is to be asked and its files are not there, or of no use
 */
export async function findSecretSource(config: Config): Promise<SecretSource> {
  const { EXPORT_SECRET: secret, DATABOX_ARBITER_ENDPOINT: endpoint } = config;
  if (secret !== undefined) return { kind: "given", secret };
  const file = (name: string) => readFile(join(config.EXPORT_SECRETS_DIR, name));
  if (!await hasArbiter(config)) {
    const path = rootKeyPath(config.EXPORT_KV_PATH);
    const isNew = await readRootKey(path) === undefined;
    return { kind: "own", secret: await obtainRootKey(path), isNew };
  }
  const access = endpoint?.protocol === "https:"
    ? await httpsAccess(endpoint, config.EXPORT_SECRETS_DIR, file)
    : await zestAccess(endpoint ?? DEFAULT_ENDPOINT, config.DATABOX_LOCAL_NAME, file);
  if (Array.isArray(access)) throw new UsageError(missing(access, config));
  return { kind: "arbiter", access };
}

/** What an operator should know about the secret and how it is had, though it is permitted. */
export function secretWarnings(source: SecretSource): string[] {
  switch (source.kind) {
    case "given":
      return isShort(source.secret) ? [`EXPORT_SECRET ${GUESSABLE}`] : [];
    case "own":
      return isShort(source.secret)
        ? [`root.key ${GUESSABLE}; delete it for a random one, which voids all tokens`]
        : [];
    case "arbiter": {
      const { access } = source;
      const [name, token] = access.kind === "zest"
        ? [ZEST_TOKEN, access.token]
        : [HTTPS_KEY, access.key];
      return endsInBlanks(token) ? [`${name} ${BLANKS}`] : [];
    }
  }
}

/** This many random letters and digits cannot be guessed. */
const SECRET_CHARS_MIN = 16;

const GUESSABLE = `has under ${SECRET_CHARS_MIN} characters: whoever guesses it mints tokens`;

const BLANKS =
  "ends in a line end or a blank, and is sent to the arbiter with it: if the answer is " +
  "unauthorized, write the file without";

function isShort(secret: string): boolean {
  return secret.length < SECRET_CHARS_MIN;
}

/** Whether it is text with blanks after it; not every key is text. */
function endsInBlanks(token: Uint8Array): boolean {
  return /^[!-~]+\s+$/.test(new TextDecoder("latin1").decode(token));
}

/** Whether an arbiter is named, or has left its files. */
export async function hasArbiter(config: Config): Promise<boolean> {
  return config.DATABOX_ARBITER_ENDPOINT !== undefined ||
    await readFile(join(config.EXPORT_SECRETS_DIR, ZEST_TOKEN)) !== undefined;
}

type ReadSecretFile = (name: string) => Promise<Uint8Array | undefined>;

/** How to ask over Zest, or the names of the files that are missing. */
async function zestAccess(
  endpoint: URL,
  name: string,
  file: ReadSecretFile,
): Promise<ArbiterAccess | string[]> {
  const [token, serverKey] = await Promise.all([file(ZEST_TOKEN), file(ZEST_SERVER_KEY)]);
  if (token === undefined || serverKey === undefined) {
    return [...missed(ZEST_TOKEN, token), ...missed(ZEST_SERVER_KEY, serverKey)];
  }
  return {
    kind: "zest",
    endpoint,
    name,
    token,
    serverKey: new TextDecoder().decode(serverKey).trim(),
  };
}

async function httpsAccess(
  endpoint: URL,
  folder: string,
  file: ReadSecretFile,
): Promise<ArbiterAccess | string[]> {
  const [key, pem] = await Promise.all([file(HTTPS_KEY), file(ROOT_CA)]);
  if (key === undefined) return [HTTPS_KEY];
  const ca = pem && new TextDecoder().decode(pem);
  if (ca !== undefined) requireCertificates(ca, join(folder, ROOT_CA));
  return { kind: "https", endpoint, key, ca };
}

/** The runtime ignores a text without any certificate, and would verify against the usual roots. */
function requireCertificates(ca: string, path: string): void {
  try {
    if (!ca.includes("-----BEGIN CERTIFICATE-----")) {
      throw new TypeError("no PEM certificate in it");
    }
    Deno.createHttpClient({ caCerts: [ca] }).close();
  } catch (cause) {
    const why = messageOf(cause);
    throw new UsageError(
      `"${path}" cannot be used: ${why}. It must hold the certificate of the CA that signed the ` +
        "arbiter's, in PEM; without that file the usual CAs count",
      { cause },
    );
  }
}

function missed(name: string, content: Uint8Array | undefined): string[] {
  return content === undefined ? [name] : [];
}

function missing(names: readonly string[], { EXPORT_SECRETS_DIR: folder }: Config): string {
  return `Cannot ask the arbiter: ${names.join(" and ")} not found in "${folder}"; ` +
    "set EXPORT_SECRETS_DIR to the folder that has them, or EXPORT_SECRET to the secret itself";
}

async function readFile(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw explained("read", path, error);
  }
}
