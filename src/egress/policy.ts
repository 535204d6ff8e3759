/**
 * What the operator has opened and closed, and how it is written: each entry is parsed to a value,
 * or to a fault in words. Pure: never reads a setting itself, never judges a destination.
 */
import {
  type Cidr,
  fromItsStart,
  isAddress,
  isInside,
  isSingle,
  MAPPED,
  NAT64_BITS,
  parseCidr,
} from "./cidr.ts";
import { isLocalhost, isOfTheBox, isSingleLabel, isWellFormed } from "./names.ts";
import { NAT64_RANGES, RANGES } from "./ranges.ts";

/**
 * Where data may go at all: to the internet, to private networks as well, or only to what is on
 * the operator's lists.
 */
export const EGRESS_MODES = ["public", "lan", "listed"] as const;
export const SCHEMES = ["https", "http"] as const;

/** A host that the operator names, on one port or on every one that is open. */
export interface ListedHost {
  readonly text: string;
  readonly host: string;
  readonly port?: number;
}

export interface EgressPolicy {
  readonly mode: typeof EGRESS_MODES[number];
  readonly schemes: readonly typeof SCHEMES[number][];
  readonly ports: readonly number[];
  readonly allowHosts: readonly ListedHost[];
  readonly allowCidrs: readonly Cidr[];
  /** Closed whatever else opens it. */
  readonly denyCidrs: readonly Cidr[];
  /** Prefixes whose addresses stand for IPv4 addresses, which are then the ones judged. */
  readonly nat64Prefixes: readonly Cidr[];
  /** Also permits http and https to this machine, on any port; for demos and tests. */
  readonly allowLoopback: boolean;
}

/** The default: https to the internet, on the ports of web servers. */
export const DEFAULT_POLICY: EgressPolicy = {
  mode: "public",
  schemes: ["https"],
  ports: [443, 8_443, 80, 8_080],
  allowHosts: [],
  allowCidrs: [],
  denyCidrs: [],
  nat64Prefixes: [],
  allowLoopback: false,
};

/** A parsed entry, or what is wrong with it, worded to follow the setting's name. */
export type Entry<T> =
  | { readonly kind: "read"; readonly value: T }
  | { readonly kind: "faulty"; readonly fault: string };

export function readDenyCidr(text: string): Entry<Cidr> {
  const cidr = parseCidr(text);
  if (cidr === undefined) {
    return faulty(`must hold addresses and ranges such as 192.168.1.0/24 or fd12::/48: "${text}"`);
  }
  const start = fromItsStart(cidr);
  if (start.from.toString() !== cidr.from.toString()) {
    return faulty(`must name a range by its first address, ${start.text}: "${text}"`);
  }
  if (isInside(cidr, MAPPED)) return faulty(`must name IPv4 ranges in IPv4 notation: "${text}"`);
  return { kind: "read", value: cidr };
}

export function readAllowCidr(text: string): Entry<Cidr> {
  const entry = readDenyCidr(text);
  if (entry.kind === "faulty") return entry;
  const closed = RANGES.find((range) =>
    (range.kind === "core" || range.kind === "loopback") &&
    // A closed single address stays closed within any range that is opened around it.
    (isInside(entry.value, range) || !isSingle(range) && isInside(range, entry.value))
  );
  if (closed === undefined) return entry;
  return faulty(`must not open ${closed.text}, ${closed.what}: "${text}"`);
}

export function readNat64Prefix(text: string): Entry<Cidr> {
  const entry = readDenyCidr(text);
  if (entry.kind === "faulty") return entry;
  const { value } = entry;
  const within = RANGES.find((range) => isInside(value, range));
  const usable = value.from.kind() === "ipv6" && NAT64_BITS.includes(value.bits) &&
    within !== undefined &&
    (NAT64_RANGES.includes(within) || within.kind === "public" || within.kind === "private");
  if (usable) return entry;
  return faulty(`must hold NAT64 prefixes such as 64:ff9b::/96 (RFC 6052): "${text}"`);
}

export function readAllowHost(text: string): Entry<ListedHost> {
  const [, name = "", digits] = /^(\[.+\]|[^:/?#@\\\s]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const port = digits === undefined ? undefined : Number(digits);
  const host = URL.parse(`https://${name}/`)?.hostname.replace(/\.$/, "") ?? "";
  if (isAddress(host) || host.startsWith("[")) {
    return faulty(`must hold names; addresses go into EXPORT_ALLOW_CIDRS: "${text}"`);
  }
  if (!isWellFormed(host) || port !== undefined && !isPort(port)) {
    return faulty(`must hold names such as nas.home.arpa or nas.home.arpa:8443: "${text}"`);
  }
  const ofTheBox = isSingleLabel(host) && isOfTheBox(host);
  if (ofTheBox || isLocalhost(host) || host === "metadata.google.internal") {
    return faulty(`must not open the box's own parts, its machine or its cloud: "${text}"`);
  }
  return { kind: "read", value: { text, host, ...(port !== undefined && { port }) } };
}

export function readPort(text: string): Entry<number> {
  const value = Number(text);
  if (/^\d+$/.test(text) && isPort(value)) return { kind: "read", value };
  return faulty(`must hold ports, 1 to 65535: "${text}"`);
}

export function readScheme(text: string): Entry<typeof SCHEMES[number]> {
  const value = SCHEMES.find((scheme) => scheme === text);
  return value === undefined
    ? faulty(`must be ${SCHEMES.join(" or ")}, or both with a comma between: "${text}"`)
    : { kind: "read", value };
}

/**
 * The setting that would list `host` (with its port, if it needs one) besides what is listed
 * already; `undefined` if an entry for it would be refused.
 */
export function settingForHost(policy: EgressPolicy, host: string): string | undefined {
  const isOpenable = readAllowHost(host).kind === "read";
  return isOpenable ? `EXPORT_ALLOW_HOSTS=${withEntry(policy.allowHosts, host)}` : undefined;
}

/** The same for an address. */
export function settingForAddress(policy: EgressPolicy, address: string): string | undefined {
  const isOpenable = readAllowCidr(address).kind === "read";
  return isOpenable ? `EXPORT_ALLOW_CIDRS=${withEntry(policy.allowCidrs, address)}` : undefined;
}

function withEntry(entries: readonly { readonly text: string }[], entry: string): string {
  return [...entries.map(({ text }) => text), entry].join();
}

/** Whether the operator names this host, for this port. */
export function isListed(policy: EgressPolicy, host: string, port: number): boolean {
  return policy.allowHosts.some((entry) =>
    entry.host === host && (entry.port === undefined || entry.port === port)
  );
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

function faulty(fault: string): { readonly kind: "faulty"; readonly fault: string } {
  return { kind: "faulty", fault };
}
