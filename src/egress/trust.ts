/**
 * Whose word a destination's certificate needs: the runtime's root certificates and those the
 * operator adds. Never widens trust beyond these, and never switches verification off.
 */
import { X509Certificate } from "node:crypto";
import { createSecureContext, type SecureContext, type TLSSocket } from "node:tls";

export interface Trust {
  readonly context: SecureContext;
  /** What is left to check once the handshake is done and the name was found to match. */
  accepts(socket: TLSSocket): boolean;
}

/** Trust in the default roots and in the certificates of `extraCa`, PEM. */
export function createTrust(extraCa?: string): Trust {
  const context = createSecureContext();
  const roots = extraCa === undefined ? [] : readCertificates(extraCa);
  // Not `ca`: that would replace the default roots, and reading those to pass them along needs
  // permissions. `addCACert` is the handle's own, older than its types.
  for (const root of roots) context.context.addCACert(root.toString());
  return {
    context,
    accepts(socket) {
      if (roots.length === 0) return true;
      const chain = presentedChain(socket);
      return chain !== undefined && isVouchedFor(chain, roots);
    },
  };
}

/** Certificates in a chain, more are refused; public chains have three or four. */
const CHAIN_MAX = 10;

/**
 * Deno 2.9.6 lets a certificate it cannot parse strictly, such as an X.509v1 one, through on the
 * issuer's name alone wherever a CA was added, without checking one signature: anyone may write
 * such a certificate. So where an added CA is named, its signature is checked here.
 */
function isVouchedFor(
  chain: readonly X509Certificate[],
  roots: readonly X509Certificate[],
): boolean {
  // Certificates under the default roots do not get that leniency.
  if (!chain.some((cert) => roots.some((root) => root.subject === cert.issuer))) return true;
  // Version 1 has no alternative names. Even a true one is not to be believed: the runtime does
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

/** The certificates in the order in which the server sent them; none if they cannot be read. */
function presentedChain(socket: TLSSocket): X509Certificate[] | undefined {
  const chain: X509Certificate[] = [];
  try {
    let next = socket.getPeerCertificate(true);
    while (chain.length < CHAIN_MAX) {
      chain.push(new X509Certificate(next.raw));
      // A root names itself as its issuer.
      const issuer = next.issuerCertificate;
      if (!issuer || issuer === next) return chain;
      next = issuer;
    }
    return undefined;
  } catch {
    return undefined;
  }
}

function readCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (blocks === null) throw new TypeError("Cannot read the extra CA: no PEM certificate in it");
  return blocks.map((block) => new X509Certificate(block));
}
