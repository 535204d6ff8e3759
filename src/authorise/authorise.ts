/**
 * May this bearer do this? Judged in two steps, because the signature is verified before any of the
 * request's body is trusted: {@link authorise} judges what the request line and the clock show, and
 * issues a grant; the grant then permits a destination and a size, or does not. Never reads a fact
 * from a macaroon that did not verify, and never reveals the token.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type Caveat, lowerAscii, readCaveat } from "./caveat.ts";
import {
  decodeMacaroon,
  hashesOf,
  isSignedBy,
  type Macaroon,
  type RootKey,
  type TokenFault,
} from "./macaroon.ts";

export type CaveatName = Exclude<Caveat["kind"], "unknown">;

export const CAVEAT_NAMES: readonly CaveatName[] = [
  "target",
  "path",
  "method",
  "destination",
  "time",
  "max_bytes",
];

/** What the bearer tries to do. */
export interface Access {
  /** The name of this service. */
  readonly target: string;
  readonly path: string;
  readonly method: string;
  /** Wall-clock time, milliseconds since the epoch. */
  readonly now: number;
}

/** What a verified token leaves to be judged once the body is read. */
export interface Grant {
  readonly owner: string;
  /** The only destination that may be exported to; any, if `undefined`. */
  readonly destination: string | undefined;
  /** The smallest of the token's budgets, or Infinity. */
  readonly maxBytes: number;
}

/** For the ledger; the caller learns only that it was refused. */
export type RefusalReason =
  | TokenFault
  | "token_missing"
  | "signature_wrong"
  | "caveat_unknown"
  | "caveat_missing"
  | "target_wrong"
  | "path_wrong"
  | "method_wrong"
  | "expired"
  | "destination_wrong"
  | "too_many_bytes";

export interface Refusal {
  readonly kind: "refused";
  /** `signature_unchecked`: a former key may have signed the token; it was not tried. */
  readonly reason: RefusalReason | "signature_unchecked";
}

export type Authorisation = { readonly kind: "granted"; readonly grant: Grant } | Refusal;

/** What a token says, once its signature is verified: the same at every request. */
export interface VerifiedToken {
  readonly kind: "verified";
  readonly signer: RootKey;
  readonly caveats: readonly Caveat[];
  readonly grant: Grant;
}

/**
 * Reads a token and verifies its signature: with the first root key, which signs tokens now, or
 * else with a former one.
 */
export type VerifyToken = (
  token: string,
  rootKeys: readonly RootKey[],
  now: number,
) => VerifiedToken | Refusal;

/** Whether `hashes` HMACs may be spent on former keys now; if so, they count as spent. */
export type MaySpend = (hashes: number) => boolean;

/** What a token is judged by. */
export interface Judgement {
  readonly rootKeys: readonly RootKey[];
  /**
   * Caveats that must be present. This guards only against careless minting: whoever holds a token
   * without a destination can add one of their own choice.
   */
  readonly required: readonly CaveatName[];
  readonly verify: VerifyToken;
}

/** Whether `token` permits `access`, as far as can be judged before the body is read. */
export function authorise(
  token: string | undefined,
  access: Access,
  { rootKeys, required, verify }: Judgement,
): Authorisation {
  if (token === undefined) return refused("token_missing");
  const verified = verify(token, rootKeys, access.now);
  if (verified.kind === "refused") return verified;
  const { caveats, grant } = verified;
  for (const caveat of caveats) {
    const reason = refusalBy(caveat, access);
    if (reason !== undefined) return refused(reason);
  }
  const isPresent = (name: CaveatName) => caveats.some(({ kind }) => kind === name);
  return required.every(isPresent) ? { kind: "granted", grant } : refused("caveat_missing");
}

/** Reads a token and verifies its signature on every call; see {@link VerifyToken}. */
export function verifyToken(
  token: string,
  rootKeys: readonly RootKey[],
  maySpend: MaySpend = () => true,
): VerifiedToken | Refusal {
  const decoded = decodeMacaroon(token);
  if (decoded.kind === "refused") return decoded;
  const { macaroon } = decoded;
  const signer = signerOf(macaroon, rootKeys, maySpend);
  if (typeof signer === "string") return refused(signer);
  const caveats = macaroon.caveats.map(readCaveat);
  const grant = grantOf(macaroon.identifier, caveats);
  return grant === undefined
    ? refused("destination_wrong")
    : { kind: "verified", signer, caveats, grant };
}

/** The root key that signed `macaroon`, or why it cannot be determined. */
function signerOf(
  macaroon: Macaroon,
  rootKeys: readonly RootKey[],
  maySpend: MaySpend,
): RootKey | "signature_wrong" | "signature_unchecked" {
  for (const [n, rootKey] of rootKeys.entries()) {
    if (n > 0 && !maySpend(hashesOf(macaroon))) return "signature_unchecked";
    if (isSignedBy(rootKey, macaroon)) return rootKey;
  }
  return "signature_wrong";
}

export function permitsDestination(grant: Grant, destination: string): boolean {
  return grant.destination === undefined || grant.destination === destination;
}

export function permitsBytes(grant: Grant, bytes: number): boolean {
  return bytes <= grant.maxBytes;
}

/** Why `caveat` does not hold, if it does not. */
function refusalBy(caveat: Caveat, access: Access): RefusalReason | undefined {
  switch (caveat.kind) {
    case "target":
      return caveat.value === access.target ? undefined : "target_wrong";
    case "path":
      return caveat.value === access.path ? undefined : "path_wrong";
    case "method":
      return caveat.value === lowerAscii(access.method) ? undefined : "method_wrong";
    case "time":
      return access.now < caveat.before ? undefined : "expired";
    case "destination":
    case "max_bytes":
      return undefined; // Left to the grant: the body is not read yet.
    case "unknown":
      return "caveat_unknown";
  }
}

/**
 * What the token leaves to be judged; `undefined` if it names two destinations, which no export can
 * satisfy: adding one after the other would make ever new owners, each with its own places.
 */
function grantOf(identifier: string, caveats: readonly Caveat[]): Grant | undefined {
  const named = caveats.flatMap((caveat) => caveat.kind === "destination" ? [caveat.value] : []);
  const budgets = caveats.flatMap((caveat) => caveat.kind === "max_bytes" ? [caveat.bytes] : []);
  const [destination, ...others] = new Set(named);
  if (others.length > 0) return undefined;
  return {
    owner: ownerOf(identifier, destination),
    destination,
    maxBytes: Math.min(Infinity, ...budgets),
  };
}

/** Raise this when the encoding of an owner changes: stored exports belong to the old ids. */
const OWNER_VERSION = "owner 1";
/** 128 bits: enough that no two owners collide, 22 characters in base64url. */
const OWNER_BYTES = 16;

/**
 * An owner is identifier and destination, because arbiters mint one identifier for everybody. Path
 * and method do not count, so that an export made at one endpoint can be polled at the other. Log
 * and ledger name an owner by this.
 */
export function ownerOf(identifier: string, destination: string | undefined): string {
  const hash = createHash("sha256");
  const texts = [OWNER_VERSION, identifier];
  for (const text of destination === undefined ? texts : [...texts, destination]) {
    const bytes = Buffer.from(text, "utf8");
    // The length goes first, so that no two lists of texts run together into the same bytes.
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest().subarray(0, OWNER_BYTES).toString("base64url");
}

function refused(reason: Refusal["reason"]): Refusal {
  return { kind: "refused", reason };
}
