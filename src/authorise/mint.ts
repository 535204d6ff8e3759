/**
 * Tokens for the command line, demonstrations and tests: what an arbiter would mint. The service
 * itself never mints; it verifies with its own code, not with the library used here.
 */
import macaroons from "macaroons.js";
import { readCaveat } from "./caveat.ts";
import { decodeMacaroon } from "./macaroon.ts";

/** The part used here of an untyped package. */
interface MacaroonsLibrary {
  readonly MacaroonsBuilder: new (
    location: string,
    /** Must be a string: the library would take a Buffer for an already derived key. */
    secret: string,
    identifier: string,
  ) => MacaroonBuilder;
}

interface MacaroonBuilder {
  add_first_party_caveat(caveat: string): MacaroonBuilder;
  getMacaroon(): { serialize(): string };
}

const { MacaroonsBuilder }: MacaroonsLibrary = macaroons;

export interface MintRequest {
  /** Empty by default, like those of the arbiter of Databox 0.5. */
  readonly identifier?: string;
  readonly location?: string;
  readonly caveats: readonly string[];
}

export function mintToken(secret: string, request: MintRequest): string {
  const { identifier = "", location = "", caveats } = request;
  if (secret === "") throw new RangeError("Cannot mint a token: the secret is empty");
  const builder = new MacaroonsBuilder(location, secret, identifier);
  for (const caveat of caveats) builder.add_first_party_caveat(caveat);
  const token = builder.getMacaroon().serialize();

  // The verifier knows its limits best; a token that it refuses must not leave this room.
  const decoded = decodeMacaroon(token);
  if (decoded.kind === "refused") {
    throw new RangeError(`Cannot mint a token: it would be refused as "${decoded.reason}"`);
  }
  return token;
}

export interface ExportPermission {
  readonly target: string;
  readonly path: string;
  readonly method: string;
  readonly destination: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number;
  readonly maxBytes?: number;
}

/** The caveats that permit one kind of export, in the order in which the arbiter writes them. */
export function exportCaveats(permission: ExportPermission): string[] {
  const { target, path, method, destination, expiresAt, maxBytes } = permission;
  const caveats = [
    `path = ${path}`,
    `method = ${method}`,
    `target = ${target}`,
    `destination = ${destination}`,
  ];
  if (expiresAt !== undefined) caveats.push(`time < ${new Date(expiresAt).toISOString()}`);
  if (maxBytes !== undefined) caveats.push(`max_bytes = ${maxBytes}`);

  const unknown = caveats.find((caveat) => readCaveat(caveat).kind === "unknown");
  if (unknown !== undefined) throw new RangeError(`Cannot write a caveat: "${unknown}" is not one`);
  return caveats;
}
