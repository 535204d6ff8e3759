/**
 * Who may vouch for a destination's certificate: the runtime's root certificates and those the
 * operator adds. Never widens trust beyond these, and never switches verification off.
 */
import { X509Certificate } from "node:crypto";
import {
  checkServerIdentity,
  type ConnectionOptions,
  createSecureContext,
  type PeerCertificate,
  type TLSSocket,
} from "node:tls";

export interface Trust {
  readonly options: ConnectionOptions;
  /** What is left to check once the handshake is done and the name was found to match. */
  accepts(socket: TLSSocket): boolean;
}

/** Trust in the default roots and in the certificates of `extraCa`, PEM. */
export function createTrust(extraCa?: string): Trust {
  const secureContext = createSecureContext();
  const roots = extraCa === undefined ? [] : readCertificates(extraCa);
  // Not `ca`: that would replace the default roots, and reading those to pass them along needs
  // permissions. `addCACert` is a method of the native handle, which has no types.
  for (const root of roots) secureContext.context.addCACert(root.toString());
  return {
    // Verification is requested explicitly, because an environment variable changes the default.
    options: { secureContext, rejectUnauthorized: true, checkServerIdentity: identityFault },
    accepts(socket) {
      try {
        return roots.length === 0 || isVouchedFor(presentedChain(socket), roots);
      } catch {
        // A certificate or a key that cannot be read vouches for nothing.
        return false;
      }
    },
  };
}

/**
 * Keeps unreadable certificates from ending the process: Deno 2.9.6 reads every one that the
 * destination sent, needed or not, in a place where nothing catches what that throws. Call it
 * before the handshake.
 */
export function shield(socket: TLSSocket): void {
  const read = socket.getPeerCertificate.bind(socket);
  Object.defineProperty(socket, "getPeerCertificate", {
    value(detailed: boolean) {
      try {
        return read(detailed);
      } catch {
        // Treated as no certificate: without a name to match, the connection ends.
        return {};
      }
    },
  });
}

function identityFault(host: string, cert: PeerCertificate): Error | undefined {
  try {
    return checkServerIdentity(host, cert);
  } catch (error) {
    // It throws on alternative names that it cannot split.
    return error instanceof Error ? error : new Error("Cannot read the certificate's names");
  }
}

/** Certificates in a chain; more are refused, public chains have three or four. */
const CHAIN_MAX = 10;

/**
 * If a CA was added, Deno 2.9.6 accepts a certificate that it cannot parse strictly, such as an
 * X.509v1 one, on the issuer's name alone, without checking any signature: anyone may write such a
 * certificate. So if an added CA is named, its signature is checked here.
 */
function isVouchedFor(
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): boolean {
  // Certificates under the default roots do not get that leniency.
  if (!chain.some((cert) => roots.some((root) => root.subject === cert.issuer))) return true;
  // Version 1 has no alternative names. Even a genuine one must not be trusted: the runtime does
  // not check that the server holds its key.
  if (chain[0]?.subjectAltName === undefined) return false;
  for (const [index, cert] of chain.entries()) {
    if (roots.some((root) => isSignedBy(cert, root))) return true;
    const issuer = chain[index + 1];
    if (issuer === undefined || !issuer.ca || !isSignedBy(cert, issuer)) return false;
  }
  return false;
}

function isSignedBy(cert: X509Certificate, issuer: X509Certificate): boolean {
  return cert.issuer === issuer.subject && cert.verify(issuer.publicKey);
}

/** The certificates in the order in which the server sent them, its own first. */
function presentedChain(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  for (let next = socket.getPeerCertificate(true); chain.length < CHAIN_MAX;) {
    chain.push(new X509Certificate(next.raw));
    // A root names itself as its issuer.
    const issuer = next.issuerCertificate;
    if (!issuer || issuer === next) return chain;
    next = issuer;
  }
  throw new RangeError("Cannot read the chain: too many certificates");
}

function readCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (blocks === null) throw new TypeError("Cannot read the extra CA: no PEM certificate in it");
  return blocks.map((block) => new X509Certificate(block));
}
