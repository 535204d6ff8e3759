/** The tables of addresses, and the addresses on their edges. */
import { assertEquals, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { isAddress, parseAddress } from "../../src/egress/cidr.ts";
import { type AddressKind, rangeOf } from "../../src/egress/ranges.ts";

/** What an address is; `undefined` for what is not one plain address. */
function kindOf(text: string): AddressKind | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : rangeOf(address).kind;
}

const TABLE: Record<AddressKind, readonly string[]> = {
  public: [
    "1.0.0.0",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.31.195.255",
    "192.31.197.0",
    "192.52.194.0",
    "192.88.98.255",
    "192.88.100.0",
    "192.167.255.255",
    "192.169.0.0",
    "192.175.49.0",
    "198.17.255.255",
    "198.20.0.0",
    "198.51.99.255",
    "198.51.101.0",
    "203.0.114.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "2000::",
    "2001:200::",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db9::",
    "2003::",
    "2606:4700:4700::1111",
    "2620:4f:7fff:ffff::",
    "2620:4f:8001::",
    "3ffe:ffff::",
    "3fff:1000::",
  ],
  loopback: ["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"].concat(
    ["::ffff:127.0.0.1", "::ffff:7f00:1"],
  ),
  private: [
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.127.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.0.0",
    "192.168.255.255",
    "::ffff:192.168.1.1",
    "fc00::",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  ],
  special: [
    "192.0.0.0",
    "192.0.2.255",
    "192.31.196.0",
    "192.31.196.255",
    "192.52.193.255",
    "192.88.99.0",
    "192.88.99.255",
    "192.175.48.0",
    "192.175.48.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.0",
    "198.51.100.255",
    "203.0.113.255",
    "::1:0:0",
    "::1:0:0:0",
    "::ffff:1:0:0",
    "64:ff9b::1:0:0",
    "64:ff9b:2::",
    "100::1",
    "100:0:0:1::1",
    "1fff:ffff::",
    "2001:1ff:ffff::",
    "2001:db8::",
    "2001:db8:ffff:ffff::",
    "2620:4f:8000:ffff::",
    "3fff::",
    "3fff:fff:ffff::",
    "4000::",
    "5f00::1",
    "fbff::",
    "192.0.0.191",
    "192.0.0.193",
    "2001:1::1",
    "::ffff:203.0.113.1",
  ],
  core: [
    "0.0.0.0",
    "0.255.255.255",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "192.0.0.192",
    "224.0.0.0",
    "239.255.255.255",
    "240.0.0.0",
    "255.255.255.255",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "::",
    "::127.0.0.1",
    "::8.8.8.8",
    "::255.255.255.255",
    "::ffff:0:127.0.0.1",
    "::ffff:0:8.8.8.8",
    "::ffff:0:255.255.255.255",
    "64:ff9b::8.8.8.8",
    "64:ff9b::255.255.255.255",
    "64:ff9b:1::a00:1",
    "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
    "2001::1",
    "2001:0:ffff:ffff:ffff:ffff:ffff:ffff",
    "2002:c0a8:101::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::",
    "febf::1",
    "fec0::1",
    "feff::1",
    "ff00::",
    "ff02::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",
    "::ffff:168.63.129.16",
  ],
};

for (const [kind, addresses] of Object.entries(TABLE)) {
  Deno.test(`${kind} addresses are told as such, to the edges of their ranges`, () => {
    for (const address of addresses) assertEquals(kindOf(address), kind, address);
  });
}

Deno.test("what is not one plain address is not called an address", () => {
  const texts = ["", "localhost", "127.1", "0x7f.0.0.1", "0177.0.0.1", "2130706433", "1.2.3"]
    .concat(
      ["1.2.3.4.5", "256.1.1.1", "[::1]", "::1%lo", "fe80::1%eth0", "2606:4700::1%0", "8.8.8.8/32"],
      ["127.0.0.1 ", "::g", "1::2::3"],
    );
  for (const text of texts) {
    assertEquals(kindOf(text), undefined, text);
    assertEquals(isAddress(text), false, text);
  }
});

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

Deno.test("an address is of one kind in whichever way it is written", () => {
  fc.assert(fc.property(fc.ipV4(), (address) => {
    assertEquals(kindOf(`::ffff:${address}`), kindOf(address));
  }));
  fc.assert(fc.property(bytes(16), (octets) => {
    const address = ipaddr.fromByteArray([...octets]);
    const kind = kindOf(address.toNormalizedString());
    assertEquals(kindOf(address.toString()), kind);
    assertEquals(kindOf(address.toString().toUpperCase()), kind);
  }));
});

Deno.test("no address is public that ipaddr.js knows to be special", () => {
  fc.assert(fc.property(fc.oneof(bytes(4), bytes(16)), (octets) => {
    const address = ipaddr.fromByteArray([...octets]);
    if (ipaddr.process(address.toString()).range() === "unicast") return;
    assertNotEquals(kindOf(address.toString()), "public");
  }));
});
