/**
 * The map of the address space: which range is what, from IANA's special-purpose registries and the
 * manuals of cloud providers. A table only: never decides whether anything may be sent.
 */
import { type Address, type Cidr, holds, parseCidr } from "./cidr.ts";

/**
 * `public` is the internet. `private` is somebody's own network. `special` has a use, but none as a
 * destination, unless the operator knows better. `core` is what no setting opens, and `loopback` is
 * this machine.
 */
export type AddressKind = "public" | "private" | "special" | "loopback" | "core";

export interface Range extends Cidr {
  readonly kind: AddressKind;
  /** What it is, for operators. */
  readonly what: string;
}

/** The first range that holds `address`; what is in none is unassigned IPv6. */
export function rangeOf(address: Address): Range {
  return RANGES.find((range) => holds(range, address)) ?? UNASSIGNED;
}

/** Prefixes whose addresses carry an IPv4 address: the address judged is not the one reached. */
const CARRIERS: readonly Row[] = [
  ["::/96", "core", "IPv4-compatible addresses, withdrawn (RFC 4291)"],
  ["::ffff:0:0:0/96", "core", "IPv4-translated addresses (RFC 2765)"],
  ["2002::/16", "core", "6to4 (RFC 3056)"],
  ["2001::/32", "core", "Teredo (RFC 4380)"],
];

const NAT64: readonly Row[] = [
  ["64:ff9b::/96", "core", "NAT64 (RFC 6052)"],
  ["64:ff9b:1::/48", "core", "NAT64 for local use (RFC 8215)"],
];

/** Single addresses inside wider ranges come first: opening the range must not open them. */
const SINGLE: readonly Row[] = [
  ["100.100.100.200/32", "core", "metadata of Alibaba Cloud"],
  ["168.63.129.16/32", "core", "the host of an Azure machine, though it looks public"],
  ["192.0.0.192/32", "core", "metadata of Oracle Cloud"],
  ["fd00:42::42/128", "core", "metadata of Scaleway"],
  ["fd00:a9fe:a9fe::1/128", "core", "metadata of Akamai Cloud"],
  ["fd00:ec2::254/128", "core", "metadata of AWS"],
  ["fd20:ce::254/128", "core", "metadata of Google Cloud"],
  ["::1/128", "loopback", "this very machine (RFC 4291)"],
];

const IPV4: readonly Row[] = [
  ["0.0.0.0/8", "core", "this network, which Linux takes for this machine (RFC 1122)"],
  ["127.0.0.0/8", "loopback", "this very machine (RFC 1122)"],
  ["169.254.0.0/16", "core", "link-local, where most clouds keep their metadata (RFC 3927)"],
  ["224.0.0.0/4", "core", "multicast (RFC 5771)"],
  ["240.0.0.0/4", "core", "never assigned, and broadcast (RFC 1112)"],

  ["10.0.0.0/8", "private", "private (RFC 1918)"],
  ["100.64.0.0/10", "private", "shared by a provider's customers, and overlay networks (RFC 6598)"],
  ["172.16.0.0/12", "private", "private, container networks by default (RFC 1918)"],
  ["192.168.0.0/16", "private", "private, home networks by default (RFC 1918)"],

  ["192.0.0.0/24", "special", "protocol assignments (RFC 6890)"],
  ["192.0.2.0/24", "special", "documentation (RFC 5737)"],
  ["192.31.196.0/24", "special", "answers for misdirected queries, AS112 (RFC 7535)"],
  ["192.52.193.0/24", "special", "multicast tunnelling (RFC 7450)"],
  ["192.88.99.0/24", "special", "6to4 relays, withdrawn (RFC 7526)"],
  ["192.175.48.0/24", "special", "answers for misdirected queries, AS112 (RFC 7534)"],
  ["198.18.0.0/15", "special", "benchmarks between networks (RFC 2544)"],
  ["198.51.100.0/24", "special", "documentation (RFC 5737)"],
  ["203.0.113.0/24", "special", "documentation (RFC 5737)"],
  ["0.0.0.0/0", "public", "public"],
];

const IPV6: readonly Row[] = [
  ["fe80::/10", "core", "link-local (RFC 4291)"],
  ["fec0::/10", "core", "site-local, withdrawn (RFC 3879)"],
  ["ff00::/8", "core", "multicast (RFC 4291)"],

  ["fc00::/7", "private", "unique local (RFC 4193)"],

  ["100::/64", "special", "discard (RFC 6666)"],
  ["100:0:0:1::/64", "special", "dummy prefix (RFC 9780)"],
  ["2001::/23", "special", "protocol assignments, ORCHID, benchmarks (RFC 2928)"],
  ["2001:db8::/32", "special", "documentation (RFC 3849)"],
  ["2620:4f:8000::/48", "special", "answers for misdirected queries, AS112 (RFC 7534)"],
  ["3fff::/20", "special", "documentation (RFC 9637)"],
  ["5f00::/16", "special", "segment routing (RFC 9602)"],
  ["2000::/3", "public", "public"],
];

type Row = readonly [cidr: string, kind: AddressKind, what: string];

function toRange([text, kind, what]: Row): Range {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(`Cannot read the range ${text}`);
  return { ...cidr, kind, what };
}

const UNASSIGNED = toRange(["::/0", "special", "unassigned (RFC 4291)"]);

/** The well-known carriers that an operator may have a translator for. */
export const NAT64_RANGES: readonly Range[] = NAT64.map(toRange);

export const RANGES: readonly Range[] = [
  ...SINGLE.map(toRange),
  ...NAT64_RANGES,
  ...[...CARRIERS, ...IPV4, ...IPV6].map(toRange),
];
