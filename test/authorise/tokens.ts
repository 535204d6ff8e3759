/** Tokens taken apart and put together by hand, for what no library would mint. */
import { Buffer } from "node:buffer";
import { createHmac } from "node:crypto";
import {
  type Access,
  type Authorisation,
  authorise,
  type CaveatName,
  type Grant,
  verifyToken,
} from "../../src/authorise/authorise.ts";
import {
  decodeMacaroon,
  deriveRootKey,
  isSignedBy,
  type Macaroon,
  type RootKey,
} from "../../src/authorise/macaroon.ts";

export const SECRET = "3f0c1d7a-9a53-4b7e-8f6e-0d6c1c1f5a42";

export function packet(name: string, value: string | Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(`${name} `), Buffer.from(value), Buffer.from("\n")]);
  return Buffer.concat([Buffer.from((body.length + 4).toString(16).padStart(4, "0")), body]);
}

export function tokenOf(...packets: readonly Uint8Array[]): string {
  return Buffer.concat(packets).toString("base64url");
}

/** The packets of a well-formed token. */
export function packetsOf(token: string): Buffer[] {
  const bytes = Buffer.from(token, "base64url");
  const packets: Buffer[] = [];
  for (let start = 0; start < bytes.length;) {
    const end = start + Number.parseInt(bytes.toString("latin1", start, start + 4), 16);
    packets.push(bytes.subarray(start, end));
    start = end;
  }
  return packets;
}

/** A signature by {@link SECRET} over any bytes, be they text or not. */
export function sign(identifier: string | Uint8Array, ...caveats: (string | Uint8Array)[]): Buffer {
  return [SECRET, identifier, ...caveats].reduce<Buffer>(
    (key, message) => createHmac("sha256", key).update(message).digest(),
    Buffer.from("macaroons-key-generator"),
  );
}

/** A token signed by {@link SECRET} over any bytes. */
export function signed(identifier: string | Uint8Array, ...caveats: (string | Uint8Array)[]) {
  return tokenOf(
    packet("location", ""),
    packet("identifier", identifier),
    ...caveats.map((caveat) => packet("cid", caveat)),
    packet("signature", sign(identifier, ...caveats)),
  );
}

export function decoded(token: string): Macaroon {
  const result = decodeMacaroon(token);
  if (result.kind === "refused") throw new Error(`Cannot decode token: ${result.reason}`);
  return result.macaroon;
}

/** Whether `token` decodes and {@link SECRET} signed it. */
export function verifies(token: string): boolean {
  const result = decodeMacaroon(token);
  return result.kind === "decoded" && isSignedBy(deriveRootKey(SECRET), result.macaroon);
}

/** What `authorise` says of a token that is verified anew. */
export function verdictOn(
  token: string | undefined,
  rootKeys: readonly RootKey[],
  access: Access,
  required: readonly CaveatName[],
): Authorisation {
  const verify = (token: string, rootKeys: readonly RootKey[]) => verifyToken(token, rootKeys);
  return authorise(token, access, { rootKeys, required, verify });
}

/** The grant of what must be granted. */
export function grantIn(authorisation: Authorisation): Grant {
  if (authorisation.kind === "granted") return authorisation.grant;
  throw new Error(`Cannot take the grant: refused as ${authorisation.reason}`);
}
