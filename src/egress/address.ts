/**
 * What kind of address a destination has come down to. Takes IP literals only: never resolves a
 * name, never decides whether anything may be sent.
 */
import ipaddr from "ipaddr.js";

/**
 * `public` is the internet. `private` is somebody's own network. `reserved` is everything that no
 * destination has any business being, and whatever is not an address at all.
 */
export type AddressKind = "public" | "loopback" | "private" | "reserved";

/** The kind of an IP literal. What cannot be read as one plain address is `reserved`. */
export function classifyAddress(address: string): AddressKind {
  if (!isAddress(address)) return "reserved";
  // Unmaps ::ffff:a.b.c.d, which connects to a.b.c.d.
  const parsed = ipaddr.process(address.includes(":") ? inHexadecimal(address) : address);
  const range = RANGES.find((range) =>
    range.from.kind() === parsed.kind() && parsed.match(range.from, range.bits)
  );
  return range?.kind ?? "reserved";
}

/** Whether the text is one IP literal, without brackets, zone or a short or octal form. */
export function isAddress(text: string): boolean {
  if (!text.includes(":")) return ipaddr.IPv4.isValidFourPartDecimal(text);
  return /^[\da-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`);
}

/** ipaddr.js takes ::a.b.c.d, which resolvers write, for ::ffff:a.b.c.d; URLs know it better. */
function inHexadecimal(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** The first range that holds an address decides; IANA special-purpose registries and cloud manuals. */
const RANGES = ([
  // Single addresses inside wider ranges come first: an opened range must not open them.
  ["100.100.100.200/32", "reserved"], // Alibaba Cloud metadata, inside shared address space.
  ["168.63.129.16/32", "reserved"], // Azure WireServer, looks public but is the host itself.
  ["fd00:ec2::254/128", "reserved"], // AWS metadata, inside unique local addresses.
  ["fd20:ce::254/128", "reserved"], // Google Cloud metadata, inside unique local addresses.

  ["127.0.0.0/8", "loopback"], // RFC 1122: all of it, not only 127.0.0.1.
  ["::1/128", "loopback"], // RFC 4291.

  ["10.0.0.0/8", "private"], // RFC 1918.
  ["100.64.0.0/10", "private"], // RFC 6598: carrier-grade NAT, also used by overlay networks.
  ["172.16.0.0/12", "private"], // RFC 1918, container networks by default.
  ["192.168.0.0/16", "private"], // RFC 1918, home networks by default.
  ["fc00::/7", "private"], // RFC 4193: unique local.

  ["0.0.0.0/8", "reserved"], // RFC 1122: "this network"; Linux connects 0.0.0.0 to loopback.
  ["169.254.0.0/16", "reserved"], // RFC 3927: link-local, where most clouds keep their metadata.
  ["192.0.0.0/24", "reserved"], // RFC 6890: protocol assignments, Oracle Cloud metadata.
  ["192.0.2.0/24", "reserved"], // RFC 5737: documentation.
  ["192.31.196.0/24", "reserved"], // RFC 7535: AS112, answers for misdirected queries.
  ["192.52.193.0/24", "reserved"], // RFC 7450: multicast tunnelling.
  ["192.88.99.0/24", "reserved"], // RFC 7526: 6to4 relays, withdrawn.
  ["192.175.48.0/24", "reserved"], // RFC 7534: AS112.
  ["198.18.0.0/15", "reserved"], // RFC 2544: benchmarks between networks.
  ["198.51.100.0/24", "reserved"], // RFC 5737: documentation.
  ["203.0.113.0/24", "reserved"], // RFC 5737: documentation.
  ["224.0.0.0/4", "reserved"], // RFC 5771: multicast.
  ["240.0.0.0/4", "reserved"], // RFC 1112: never assigned; ends with the broadcast address.
  ["0.0.0.0/0", "public"],

  // Prefixes that carry an IPv4 address inside: whatever it is, it is not what was looked at.
  ["::/96", "reserved"], // RFC 4291: unspecified and IPv4-compatible.
  ["::ffff:0:0:0/96", "reserved"], // RFC 2765: IPv4-translated (SIIT).
  ["64:ff9b::/96", "reserved"], // RFC 6052: NAT64.
  ["64:ff9b:1::/48", "reserved"], // RFC 8215: NAT64 for local use.
  ["2002::/16", "reserved"], // RFC 3056: 6to4.
  ["2001::/23", "reserved"], // RFC 2928: Teredo, ORCHID, benchmarks and other protocols.

  ["100::/64", "reserved"], // RFC 6666: discard.
  ["100:0:0:1::/64", "reserved"], // RFC 9780: dummy prefix.
  ["2001:db8::/32", "reserved"], // RFC 3849: documentation.
  ["2620:4f:8000::/48", "reserved"], // RFC 7534: AS112.
  ["3fff::/20", "reserved"], // RFC 9637: documentation.
  ["5f00::/16", "reserved"], // RFC 9602: segment routing.
  ["fe80::/10", "reserved"], // RFC 4291: link-local.
  ["fec0::/10", "reserved"], // RFC 3879: site-local, withdrawn.
  ["ff00::/8", "reserved"], // RFC 4291: multicast.
  ["2000::/3", "public"], // RFC 4291: all that is handed out; the rest of IPv6 is unassigned.
] satisfies [cidr: string, kind: AddressKind][]).map(([cidr, kind]) => {
  const [from, bits] = ipaddr.parseCIDR(cidr);
  return { from, bits, kind };
});
