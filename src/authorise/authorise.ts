/**
 * May this bearer do this? In two steps, because the signature is verified before anything of the
 * request's body is trusted: {@link authorise} judges all that the request line and the clock can
 * tell and gives a grant; the grant then permits a destination and a size, or does not.
 * Never reads a fact from a macaroon that did not verify, and never gives away the token.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { type Caveat, lowerAscii, readCaveat } from "./caveat.ts";
import { decodeMacaroon, type RootKey, signerOf, type TokenFault } from "./macaroon.ts";

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
  /** Each destination caveat once; a destination must equal all of them. */
  readonly destinations: readonly string[];
  /** The smallest of the token's budgets, or Infinity. */
  readonly maxBytes: number;
}

/** For the ledger; a caller is told only that it was refused. */
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
  readonly reason: RefusalReason;
}

export type Authorisation = { readonly kind: "granted"; readonly grant: Grant } | Refusal;

/** What a token says, once its signature is verified: the same at every request. */
export interface VerifiedToken {
  readonly kind: "verified";
  readonly signer: RootKey;
  readonly caveats: readonly Caveat[];
  readonly grant: Grant;
}

/** Reads a token and verifies its signature. */
export type VerifyToken = (
  token: string,
  rootKeys: readonly RootKey[],
) => VerifiedToken | Refusal;

/**
 * `required` names caveats that must be present. That guards against careless minting only: whoever
 * holds a token without a destination can add one of their own choice.
 */
export function authorise(
  token: string | undefined,
  rootKeys: readonly RootKey[],
  access: Access,
  required: readonly CaveatName[],
  verify: VerifyToken = verifyToken,
): Authorisation {
  if (token === undefined) return refused("token_missing");
  const verified = verify(token, rootKeys);
  if (verified.kind === "refused") return verified;
  const { caveats, grant } = verified;
  for (const caveat of caveats) {
    const reason = refusalBy(caveat, access);
    if (reason !== undefined) return refused(reason);
  }
  const isPresent = (name: CaveatName) => caveats.some(({ kind }) => kind === name);
  return required.every(isPresent) ? { kind: "granted", grant } : refused("caveat_missing");
}

export function verifyToken(
  token: string,
  rootKeys: readonly RootKey[],
): VerifiedToken | Refusal {
  const decoded = decodeMacaroon(token);
  if (decoded.kind === "refused") return decoded;
  const { macaroon } = decoded;
  const signer = signerOf(macaroon, rootKeys);
  if (signer === undefined) return refused("signature_wrong");
  const caveats = macaroon.caveats.map(readCaveat);
  return { kind: "verified", signer, caveats, grant: grantOf(macaroon.identifier, caveats) };
}

export function permitsDestination(grant: Grant, destination: string): boolean {
  return grant.destinations.every((permitted) => permitted === destination);
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

function grantOf(identifier: string, caveats: readonly Caveat[]): Grant {
  const named = caveats.flatMap((caveat) => caveat.kind === "destination" ? [caveat.value] : []);
  const budgets = caveats.flatMap((caveat) => caveat.kind === "max_bytes" ? [caveat.bytes] : []);
  const destinations = [...new Set(named)];
  return {
    owner: ownerOf(identifier, destinations),
    destinations,
    maxBytes: Math.min(Infinity, ...budgets),
  };
}

/** Whoever changes the encoding of an owner raises this: stored exports belong to the old ids. */
const OWNER_VERSION = "owner 1";
/** 128 bits: enough that no two owners meet, 22 characters in base64url. */
const OWNER_BYTES = 16;

/**
 * Identifier and destinations, because arbiters mint one identifier for everybody. Path and method
 * do not count, so that an export made at one endpoint can be polled at the other.
 */
function ownerOf(identifier: string, destinations: readonly string[]): string {
  const hash = createHash("sha256");
  for (const text of [OWNER_VERSION, identifier, ...destinations.toSorted()]) {
    const bytes = Buffer.from(text, "utf8");
    // The length goes first, so that no two lists of texts run together into the same bytes.
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return hash.digest().subarray(0, OWNER_BYTES).toString("base64url");
}

function refused(reason: RefusalReason): Refusal {
  return { kind: "refused", reason };
}
