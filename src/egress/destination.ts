/**
 * Which destinations are permissible, as far as the URL and given addresses tell. Pure: never
 * resolves a name, never opens a socket, never asks who is sending.
 */
import { DESTINATION_CHARS_MAX } from "../limits.ts";
import { type AddressKind, classifyAddress, isAddress } from "./address.ts";

/** What the operator has opened beyond the default: https to public addresses. */
export interface EgressPolicy {
  /** Also http and https to this machine, on any port; for demos and tests. */
  readonly allowLoopback: boolean;
}

/** Why a destination is refused, and what its sender can do. Says nothing about this network. */
export const RULES = {
  url: `Write the destination as an absolute https URL of at most ${DESTINATION_CHARS_MAX} ` +
    "characters, without spaces, backslashes, control or invisible characters.",
  scheme: "Use https: data leaves the box encrypted.",
  userinfo: "Remove the user name and password, and any `@` from the host and the fragment.",
  port: "Use port 443, 8443, 80 or 8080.",
  host: "Name a host on the internet in full, such as `api.example.com`.",
  special_name: "Name a host on the internet: names of local networks and machines are refused.",
  address: "Name a host that has public internet addresses only.",
} as const;

/** The part of the destination that is not permissible. */
export type Rule = keyof typeof RULES;

/** Whether a destination is permissible, and if not, the first rule it breaks. */
export type Verdict =
  | { readonly kind: "permitted"; readonly url: URL }
  | { readonly kind: "refused"; readonly rule: Rule };

/** Everything about a destination that can be decided without resolving its name. */
export function checkDestination(uri: string, policy: EgressPolicy): Verdict {
  const spelt = checkSpelling(uri);
  if (spelt.kind === "refused") return spelt;
  const host = hostOf(spelt.url);
  if (isAddress(host)) return checkAddresses(spelt.url, [host], policy);
  if (isLocalhost(host) && policy.allowLoopback) return spelt;
  const rule = brokenNameRule(host) ?? brokenSchemeRule(spelt.url) ??
    // With loopback open, a name may turn out to be this machine, where any port will do.
    (policy.allowLoopback ? undefined : brokenPortRule(spelt.url));
  return rule === undefined ? spelt : refused(rule);
}

/** What the addresses of a destination add to `checkDestination`; one bad address refuses it. */
export function checkAddresses(
  url: URL,
  addresses: readonly string[],
  policy: EgressPolicy,
): Verdict {
  const kinds = addresses.map(classifyAddress);
  const all = (kind: AddressKind) => kinds.length > 0 && kinds.every((each) => each === kind);
  if (policy.allowLoopback && all("loopback")) return { kind: "permitted", url };
  if (!all("public") || isLocalhost(hostOf(url))) return refused("address");
  const rule = brokenSchemeRule(url) ?? brokenPortRule(url);
  return rule === undefined ? { kind: "permitted", url } : refused(rule);
}

/** The host as a resolver and a certificate know it: no brackets, no final dot. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$|\.$/g, "");
}

/**
 * Rules on the text itself. The URL parser repairs what it can (`http:\\host`, a tab in a name),
 * and another parser repairs it otherwise, so a text that needs repair is refused.
 */
function checkSpelling(uri: string): Verdict {
  if (uri.length > DESTINATION_CHARS_MAX) return refused("url");
  // Control, format and surrogate characters, separators: read by nobody, or read two ways.
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Z}\\]/u.test(uri)) return refused("url");
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+.-]*):(.*)$/i.exec(uri) ?? [];
  if (scheme === undefined) return refused("url");
  if (!/^https?$/i.test(scheme)) return refused("scheme");
  const authority = /^\/\/([^/?#]+)/.exec(rest)?.[1];
  const url = URL.parse(uri);
  if (authority === undefined || url === null) return refused("url");
  // An `@` in the fragment reads as userinfo to parsers that do not stop at `#`.
  if (authority.includes("@") || url.hash.includes("@")) return refused("userinfo");
  return { kind: "permitted", url };
}

function brokenNameRule(host: string): Rule | undefined {
  const labels = host.split(".");
  // RFC 1123, and the underscore, which is in use. One label alone is completed by the resolver's
  // search domain.
  const wellFormed = host.length <= 253 && labels.length >= 2 &&
    labels.every((label) => /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/.test(label));
  if (isSpecialName(host)) return "special_name";
  return wellFormed ? undefined : "host";
}

function brokenSchemeRule(url: URL): Rule | undefined {
  return url.protocol === "https:" ? undefined : "scheme";
}

/** The ports of web servers. Others belong to services that may mistake a request for their own. */
function brokenPortRule(url: URL): Rule | undefined {
  return ["", "443", "8443", "80", "8080"].includes(url.port) ? undefined : "port";
}

/** Names that no public DNS answers for: RFC 6761, 6762, 7686, 8375, 9476, and local custom. */
const SPECIAL_NAMES = [
  "localhost",
  "local",
  "internal", // also host.docker.internal and metadata.google.internal
  "home.arpa",
  "lan",
  "intranet",
  "corp",
  "home",
  "onion",
  "invalid",
  "test",
  "svc",
];

function isSpecialName(host: string): boolean {
  return SPECIAL_NAMES.some((name) => isWithin(name, host));
}

function isLocalhost(host: string): boolean {
  return isWithin("localhost", host);
}

function isWithin(name: string, host: string): boolean {
  return host === name || host.endsWith(`.${name}`);
}

function refused(rule: Rule): Verdict {
  return { kind: "refused", rule };
}
