/**
 * Addresses and ranges of addresses, read strictly: one spelling each, so that nothing is mistaken
 * for something else. Never decides what a range is good for.
 */
import ipaddr from "ipaddr.js";

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** A range of addresses: those that share their first `bits` bits with `from`. */
export interface Cidr {
  readonly text: string;
  readonly from: Address;
  readonly bits: number;
}

/** Whether the text is one IP literal, without brackets, zone or a short or octal form. */
export function isAddress(text: string): boolean {
  if (!text.includes(":")) return ipaddr.IPv4.isValidFourPartDecimal(text);
  return /^[\da-f:.]+$/i.test(text) && URL.canParse(`http://[${text}]`);
}

/** Parses an IP literal; `::ffff:a.b.c.d`, which connects to a.b.c.d, becomes a.b.c.d. */
export function parseAddress(text: string): Address | undefined {
  if (!isAddress(text)) return undefined;
  return ipaddr.process(text.includes(":") ? inHexadecimal(text) : text);
}

/** Parses a range, `address/bits`, or a single address; `undefined` for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const [, address = "", digits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  if (!isAddress(address)) return undefined;
  const from = ipaddr.parse(address.includes(":") ? inHexadecimal(address) : address);
  const width = from.kind() === "ipv4" ? 32 : 128;
  const bits = digits === undefined ? width : Number(digits);
  return bits <= width ? { text, from, bits } : undefined;
}

/** The same range from its first address; its text shows an operator how to write it. */
export function fromItsStart({ from, bits }: Cidr): Cidr {
  const first = from.kind() === "ipv4"
    ? ipaddr.IPv4.networkAddressFromCIDR(`${from}/${bits}`)
    : ipaddr.IPv6.networkAddressFromCIDR(`${from}/${bits}`);
  return { text: `${first}/${bits}`, from: first, bits };
}

/** Whether the range is one address. */
export function isSingle({ from, bits }: Cidr): boolean {
  return bits === (from.kind() === "ipv4" ? 32 : 128);
}

export function holds({ from, bits }: Cidr, address: Address): boolean {
  return from.kind() === address.kind() && address.match(from, bits);
}

/** Whether every address of `inner` is in `outer`. */
export function isInside(inner: Cidr, outer: Cidr): boolean {
  return inner.bits >= outer.bits && holds(outer, inner.from);
}

/** IPv4 addresses in IPv6 notation; {@link parseAddress} returns none of these. */
export const MAPPED: Cidr = {
  text: "::ffff:0:0/96",
  from: ipaddr.IPv6.parse("::ffff:0:0"),
  bits: 96,
};

/** Prefix lengths that a NAT64 prefix may have (RFC 6052, 2.2). */
export const NAT64_BITS: readonly number[] = [32, 40, 48, 56, 64, 96];

/** The IPv4 address that `address` stands for under a NAT64 prefix of `bits` bits (RFC 6052). */
export function carriedIPv4(address: Address, bits: number): Address {
  const bytes = address.toByteArray();
  // Byte 8 is not part of it, wherever the prefix ends.
  const rest = bytes.slice(bits / 8).filter((_, index) => index + bits / 8 !== 8);
  return ipaddr.fromByteArray(rest.slice(0, 4));
}

/** ipaddr.js takes ::a.b.c.d, which resolvers write, for ::ffff:a.b.c.d; `URL` does not. */
function inHexadecimal(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}
