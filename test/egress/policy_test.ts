/** What an operator may write about destinations, and what a slip of the pen is told. */
import { assertEquals, assertMatch } from "@std/assert";
import {
  type Entry,
  readAllowCidr,
  readAllowHost,
  readDenyCidr,
  readNat64Prefix,
} from "../../src/egress/policy.ts";
import { isSingle } from "../../src/egress/cidr.ts";
import { RANGES } from "../../src/egress/ranges.ts";

function faultOf(entry: Entry<unknown>): string | undefined {
  return entry.kind === "faulty" ? entry.fault : undefined;
}

function assertRead(read: (text: string) => Entry<unknown>, texts: readonly string[]): void {
  for (const text of texts) assertEquals(faultOf(read(text)), undefined, text);
}

function assertFaulty(
  read: (text: string) => Entry<unknown>,
  texts: readonly string[],
  fault: RegExp,
): void {
  for (const text of texts) {
    const told = faultOf(read(text)) ?? "";
    assertMatch(told, fault, text);
    assertEquals(told.startsWith("must ") && told.endsWith(`: "${text}"`), true, told);
  }
}

Deno.test("addresses and ranges are written one way only", () => {
  assertRead(readDenyCidr, [
    "10.0.0.0/8",
    "192.168.1.7",
    "fd12::/48",
    "FD12::1",
    "0.0.0.0/0",
    "::/0",
  ]);
  const texts = ["", "10", "10.0.0", "010.0.0.0/8", "0xa.0.0.0/8", "10.0.0.0/", "10.0.0.0/33"]
    .concat(["10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0/255.0.0.0", "10.0.0.*", "10.0.0.0-10.0.0.9"])
    .concat(["[fd12::]/48", "fd12::/129", "fe80::1%eth0", "nas.home.arpa", "10.0.0.0 /8"]);
  assertFaulty(readDenyCidr, texts, /addresses and ranges such as 192.168.1.0\/24 or fd12::\/48/);
  assertFaulty(readDenyCidr, ["10.0.0.1/8", "10.255.0.0/8"], /first address, 10\.0\.0\.0\/8/);
  assertFaulty(readDenyCidr, ["fd12::1/48"], /first address, fd12::\/48/);
  assertFaulty(readDenyCidr, ["::ffff:10.0.0.1", "::ffff:a00:0/104"], /in IPv4 notation/);
});

Deno.test("whole private and special ranges may be opened", () => {
  const open = RANGES.filter(({ kind }) => kind === "private" || kind === "special");
  // Teredo lies inside; its neighbours can be opened one by one.
  assertRead(readAllowCidr, open.map(({ text }) => text).filter((text) => text !== "2001::/23"));
  assertRead(readAllowCidr, [
    "192.168.1.7",
    "100.64.0.0/10",
    "fd00::/8",
    "8.8.8.0/24",
    "2001:20::/28",
  ]);
});

Deno.test("no entry opens a core range, from inside or around it", () => {
  const core = RANGES.filter(({ kind }) => kind === "core" || kind === "loopback");
  const closed = /must not open/;
  assertFaulty(readAllowCidr, core.map(({ text }) => text), closed);
  assertFaulty(readAllowCidr, core.map(({ from }) => `${from}`), closed);
  const around = core.filter((range) => !isSingle(range)).map(({ from, bits }) =>
    `${from}`.includes(":") ? `::/${Math.min(0, bits)}` : `0.0.0.0/${Math.min(0, bits)}`
  );
  assertFaulty(readAllowCidr, around, closed);
  assertFaulty(readAllowCidr, ["126.0.0.0/7", "169.252.0.0/14", "128.0.0.0/1", "2000::/3"], closed);
  assertFaulty(readAllowCidr, ["100.100.100.200", "168.63.129.16/32", "fd00:ec2::254"], closed);
});

Deno.test("hosts are named by name, with a port or none", () => {
  const read = (text: string) => {
    const entry = readAllowHost(text);
    return entry.kind === "read" ? [entry.value.host, entry.value.port] : [entry.fault];
  };
  assertEquals(read("nas.home.arpa"), ["nas.home.arpa", undefined]);
  assertEquals(read("NAS:8443"), ["nas", 8_443]);
  assertEquals(read("bücher.example.:443"), ["xn--bcher-kva.example", 443]);
  assertEquals(read("host.docker.internal"), ["host.docker.internal", undefined]);
  assertEquals(read("core-api.example.com"), ["core-api.example.com", undefined]);
  const texts = [
    "",
    "https://a.example",
    "a.example/",
    "a.example:",
    "a.example:0",
    "a.example:65536",
  ]
    .concat([
      "a.example:1:2",
      "*.example",
      "a..example",
      "-a.example",
      "user@a.example",
      "a b",
      "a\\b",
    ])
    .concat(["a.example?", "a.example#", "a%2eb:http"]);
  assertFaulty(readAllowHost, texts, /names such as nas.home.arpa/);
  const addresses = ["127.0.0.1", "192.168.1.7:443", "127.1", "0x7f000001", "2130706433", "[::1]"];
  assertFaulty(
    readAllowHost,
    [...addresses, "[fd12::1]:8443", "１２７.0.0.1"],
    /EXPORT_ALLOW_CIDRS/,
  );
});

Deno.test("the box's own parts cannot be listed", () => {
  const texts = ["arbiter", "ARBITER:4444", "container-manager", "core-store", "core-network:443"]
    .concat(["export-service", "databox-arbiter", "localhost", "app.localhost:80", "localhost."])
    .concat(["metadata.google.internal", "ａrbiter"]);
  assertFaulty(readAllowHost, texts, /must not open the box's own parts/);
});

Deno.test("NAT64 prefixes are as long as RFC 6052 has them, and where some can be", () => {
  assertRead(readNat64Prefix, ["64:ff9b::/96", "64:ff9b:1::/48", "64:ff9b:1:fffe::/96"]);
  assertRead(readNat64Prefix, ["2001:67c:2b0:64::/96", "2a00:1098::/32", "fd00:64::/64"]);
  const texts = [
    "64:ff9b::/64",
    "2001:67c:2b0::/44",
    "10.0.0.0/32",
    "::/96",
    "2002::/32",
    "fe80::/64",
  ];
  assertFaulty(readNat64Prefix, [...texts, "2001:db8::/32", "ff00::/32"], /\(RFC 6052\)/);
});
