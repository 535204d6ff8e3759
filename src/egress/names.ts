/**
 * Host names: which can be on the internet, and which belong to this machine or this box. Pure:
 * never resolves one.
 */

/** Names that no public DNS answers for: RFC 6761, 6762, 7686, 8375, 9476, and local custom. */
const SPECIAL_NAMES = [
  "localhost",
  "local",
  "internal", // also host.docker.internal and metadata.google.internal
  "home.arpa",
  "lan",
  "private",
  "intranet",
  "corp",
  "home",
  "onion",
  "alt",
  "invalid",
  "test",
  "svc",
];

/** Whether every label is valid: RFC 1123, and the underscore, which is in use. */
export function isWellFormed(host: string): boolean {
  const isLabel = (label: string) => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(label);
  return host.length <= 253 && host.split(".").every(isLabel);
}

/** Whether it is a single label, which the resolver's search domain would complete. */
export function isSingleLabel(host: string): boolean {
  return !host.includes(".");
}

/** The special name that a host equals or is under, if any. */
export function specialNameOf(host: string): string | undefined {
  return SPECIAL_NAMES.find((name) => isWithin(name, host));
}

export function isLocalhost(host: string): boolean {
  return isWithin("localhost", host);
}

/**
 * Whether a name has the form of one of the box's own parts, in any network of the container
 * engine: `arbiter`, `arbiter.some-network`, `tasks.core-store`.
 */
export function isOfTheBox(host: string): boolean {
  return host.split(".").some((label) =>
    /^((databox-)?(arbiter|container-manager|export-service)|core-.+)$/.test(label)
  );
}

function isWithin(name: string, host: string): boolean {
  return host === name || host.endsWith(`.${name}`);
}
