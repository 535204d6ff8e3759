/**
 * What the listener needs for TLS, from the one file in which a Databox hands certificate and key
 * to its containers. Never reveals key material, and never decides what happens without the file.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import { explained, messageOf } from "./file_faults.ts";
import { UsageError } from "./flags.ts";

export type PemResult =
  | {
    readonly kind: "tls";
    /** The certificate, followed by those between it and the root, as PEM. */
    readonly cert: string;
    readonly key: string;
    /** What an operator should know, though it works. */
    readonly warnings: readonly string[];
  }
  | { readonly kind: "broken"; readonly reason: string };

export type TlsResult = PemResult | { readonly kind: "none" };

interface Block {
  readonly label: string;
  readonly pem: string;
}

const DAY_MS = 86_400_000;

/** Time for a warning to be seen and a new certificate to be made. */
const EXPIRY_WARNING_MS = 30 * DAY_MS;

/** Labels of private keys: PKCS#8, PKCS#1, SEC1. The runtime takes each of them as it is. */
const KEY_LABELS = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];

/** Below it, current clients and the runtime itself refuse the key. */
const RSA_BITS_MIN = 2_048;

const CURVES = ["prime256v1", "secp384r1", "secp521r1"];

/** Where certificate and key lie. */
export function tlsPath(folder: string): string {
  return join(folder, "DATABOX.pem");
}

/** What a listener takes. */
export interface ListenerTls {
  readonly cert: string;
  readonly key: string;
}

/**
 * Certificate and key from the secrets in `folder`, or `undefined` where there are none; what an
 * operator should know goes to `log`.
 *
 * @throws {UsageError} if the file is there and cannot be used
 */
export async function obtainTls(
  folder: string,
  now: number,
  log: TlsLog,
): Promise<ListenerTls | undefined> {
  const path = tlsPath(folder);
  const tls = await readTls(folder, now);
  switch (tls.kind) {
    case "none":
      warn(log, [`there is no "${path}": requests come by plain HTTP, and tokens with them`]);
      return undefined;
    case "broken":
      throw new UsageError(`Cannot listen by TLS with "${path}": ${tls.reason}`);
    case "tls":
      warn(log, tls.warnings);
      return { cert: tls.cert, key: tls.key };
  }
}

/** Repeats once a day what is to be known of the certificate's dates, until it is stopped. */
export function watchDates(
  { cert, key }: ListenerTls,
  clock: Clock,
  log: TlsLog,
): { stop(): void } {
  let cancel = () => {};
  const wait = () => {
    cancel = clock.after(DAY_MS, () => {
      const tls = parsePem(`${cert}${key}`, clock.now());
      if (tls.kind === "tls") warn(log, tls.warnings);
      wait();
    });
  };
  wait();
  return { stop: () => cancel() };
}

type TlsLog = (event: { readonly event: string; readonly detail: string }) => void;

function warn(log: TlsLog, details: readonly string[]): void {
  for (const detail of details) log({ event: "service.warning", detail });
}

/** Certificate and key from the secrets in `folder`; `none` only if there is no such file. */
export async function readTls(folder: string, now: number): Promise<TlsResult> {
  const path = tlsPath(folder);
  try {
    return parsePem(await Deno.readTextFile(path), now);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { kind: "none" };
    const fault = explained("read", path, error);
    return { kind: "broken", reason: messageOf(fault) };
  }
}

/**
 * Finds the certificates and the key among the blocks of `text`, in any order, and checks that they
 * belong together. Other kinds of blocks, such as a public key, do not matter.
 */
export function parsePem(text: string, now: number): PemResult {
  const blocks = readBlocks(text);
  if (blocks === undefined) return broken("a block in it has no end");

  const pems = blocks.filter(({ label }) => label === "CERTIFICATE").map(({ pem }) => pem);
  if (pems.length === 0) return broken("it has no certificate");
  const certificates = pems.flatMap((pem) => parsed(() => new X509Certificate(pem)) ?? []);
  const [leaf] = certificates;
  if (leaf === undefined || certificates.length < pems.length) {
    return broken("a certificate in it cannot be read");
  }
  if (!certificates.every(hasExtensions)) {
    return broken("a certificate in it is not of X.509 version 3");
  }

  const block = blocks.find(isKey);
  if (block === undefined) return broken("it has no private key");
  if (block.pem.includes("ENCRYPTED")) {
    return broken("its private key is encrypted, and there is no passphrase");
  }
  const key = parsed(() => createPrivateKey(block.pem));
  if (key === undefined) return broken("its private key cannot be read");
  const fault = faultOf(key);
  if (fault !== undefined) return broken(fault);
  if (!leaf.checkPrivateKey(key)) {
    return broken("its private key is not the one of its first certificate");
  }

  const warnings = certificates.flatMap((certificate) => datesOf(certificate, now));
  return { kind: "tls", cert: pems.join(""), key: block.pem, warnings };
}

/** The blocks of a PEM file, every line terminated; `undefined` if one is cut off. */
function readBlocks(text: string): Block[] | undefined {
  const lines = text.replace(/\r\n?/g, "\n");
  const pattern = /-----BEGIN ([A-Z0-9 ]+)-----\n(?:(?!-----)[^])*-----END \1-----/g;
  if (lines.replace(pattern, "").includes("-----BEGIN ")) return undefined;
  return [...lines.matchAll(pattern)].map(([pem, label = ""]) => ({ label, pem: `${pem}\n` }));
}

function isKey({ label }: Block): boolean {
  return KEY_LABELS.includes(label) || label === "ENCRYPTED PRIVATE KEY";
}

/** Why the runtime cannot serve with this key, if it cannot. */
function faultOf(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  switch (type) {
    case "rsa": {
      const bits = details?.modulusLength ?? 0;
      return bits < RSA_BITS_MIN
        ? `its RSA key has ${bits} bits; ${RSA_BITS_MIN} at least are required`
        : undefined;
    }
    case "ec": {
      const curve = details?.namedCurve ?? "unknown";
      return CURVES.includes(curve) ? undefined : `its key is on the curve ${curve}: ${TAKEN}`;
    }
    case "ed25519":
      return undefined;
    default:
      return `its key is of the kind ${type}: ${TAKEN}`;
  }
}

const TAKEN = "RSA, Ed25519 and the curves P-256, P-384 and P-521 are supported";

/** What clients will object to, now or soon. */
function datesOf(certificate: X509Certificate, now: number): string[] {
  const subject = certificate.subject.replaceAll("\n", ", ");
  const from = Date.parse(certificate.validFrom);
  const until = Date.parse(certificate.validTo);
  if (now < from) return [`the certificate of ${subject} is not valid before ${dayOf(from)}`];
  if (now > until) return [`the certificate of ${subject} expired on ${dayOf(until)}`];
  if (until - now > EXPIRY_WARNING_MS) return [];
  return [`the certificate of ${subject} expires on ${dayOf(until)}`];
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/**
 * Whether a certificate is of version 3, the only one that the runtime serves: then its content
 * begins with the version's number, under the tag 0xa0.
 */
function hasExtensions({ raw }: X509Certificate): boolean {
  const content = afterDerHead(raw, 0);
  return raw[afterDerHead(raw, content)] === 0xa0;
}

/** Where the content of the DER element at `start` begins: after its tag and its length. */
function afterDerHead(bytes: Uint8Array, start: number): number {
  const length = bytes[start + 1] ?? 0;
  return start + 2 + (length < 0x80 ? 0 : length & 0x7f);
}

function parsed<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch {
    // The parser's message could quote what it read.
    return undefined;
  }
}

function broken(reason: string): PemResult {
  return { kind: "broken", reason };
}
