/** What an operator is told about a destination. */
import { assertEquals, assertMatch } from "@std/assert";
import { explain } from "../../src/commands/explain.ts";
import { DEFAULT_POLICY, type EgressPolicy } from "../../src/egress/policy.ts";

function explained(
  uri: string,
  policy?: Partial<EgressPolicy>,
  addresses?: readonly string[],
) {
  const ground = { policy: { ...DEFAULT_POLICY, ...policy }, own: ["192.168.7.7"] };
  return explain(uri, ground, addresses && (() => Promise.resolve(addresses)));
}

Deno.test("a permitted destination is explained rule by rule", async () => {
  assertEquals(await explained("https://93.184.215.14/"), {
    lines: [
      "yes  address       93.184.215.14 is a public address",
      "yes  scheme        https is in EXPORT_SCHEMES, https",
      "yes  port          443 is in EXPORT_PORTS, 443,8443,80,8080",
      "permitted",
    ],
    code: 0,
  });
});

Deno.test("every rule that is broken is told, with the setting that would change it", async () => {
  assertEquals(await explained("http://192.168.1.20:9000/"), {
    lines: [
      "no   address       192.168.1.20 is in 192.168.0.0/16: private, home networks by default (RFC 1918)",
      "                   to change this: EXPORT_EGRESS=lan or EXPORT_ALLOW_CIDRS=192.168.1.20",
      "no   scheme        http is not in EXPORT_SCHEMES, https",
      "                   to change this: EXPORT_SCHEMES=https,http",
      "no   port          9000 is not in EXPORT_PORTS, 443,8443,80,8080",
      "                   to change this: EXPORT_PORTS=443,8443,80,8080,9000",
      "refused; the app is told: Name a host that has public internet addresses only.",
    ],
    code: 1,
  });
});

Deno.test("a name is explained as far as it is resolved", async () => {
  const uri = "https://a.example/";
  const unresolved = await explained(uri);
  assertEquals(unresolved.code, 0);
  assertMatch(unresolved.lines.join("\n"), /judged at each attempt \(--resolve\)$/);
  const good = await explained(uri, {}, ["93.184.215.14", "2606:4700::1"]);
  assertEquals([good.code, good.lines.length], [0, 6]);
  assertEquals(new Set(good.lines).size, 6);
  const bad = await explained(uri, {}, ["93.184.215.14", "127.0.0.1"]);
  assertEquals(bad.code, 1);
  assertMatch(bad.lines.join("\n"), /no {3}address {7}127\.0\.0\.1 is in 127\.0\.0\.0\/8/);
  const none = await explained(uri, {}, []);
  assertEquals([none.code, none.lines.at(-1)], [
    1,
    "nothing can be sent: a.example has no address for now",
  ]);
});

const settings:
  readonly (readonly [uri: string, change: RegExp, policy?: Partial<EgressPolicy>])[] = [
    ["https://169.254.169.254/", /no setting changes this/],
    ["https://192.168.7.7/", /this very machine\n.*no setting changes this/, { mode: "lan" }],
    ["https://127.0.0.1/", /EXPORT_UNSAFE_ALLOW_LOOPBACK=1, for demos and tests only/],
    ["https://203.0.113.1/", /to change this: EXPORT_ALLOW_CIDRS=203\.0\.113\.1/],
    ["https://10.0.0.1/", /to change this: EXPORT_ALLOW_CIDRS=10\.0\.0\.1/, { mode: "listed" }],
    ["https://[64:ff9b::8.8.8.8]/", /to change this: EXPORT_NAT64_PREFIXES=64:ff9b::\/96/],
    ["https://nas.home.arpa:9000/", /to change this: EXPORT_ALLOW_HOSTS=nas\.home\.arpa:9000/],
    ["https://nas/", /a single word.*\n.*to change this: EXPORT_ALLOW_HOSTS=nas/],
    ["https://a.example/", /to change this: EXPORT_ALLOW_HOSTS=a\.example/, { mode: "listed" }],
    ["https://8.8.8.8/", /to change this: EXPORT_ALLOW_CIDRS=8\.8\.8\.8/, { mode: "listed" }],
    ["https://a b/", /a space.*\n.*no setting changes this/],
    ["ftp://a.example/", /ftp is neither https nor http/],
    ["https://u:p@a.example/", /a user name before its host/],
    ["https://a.example:0/", /0 is not in EXPORT_PORTS.*\n.*no setting changes this/],
  ];

for (const [uri, change, policy] of settings) {
  Deno.test(`${uri} is refused${policy ? ` with ${policy.mode}` : ""}, with what would change it`, async () => {
    const { lines, code } = await explained(uri, policy);
    assertEquals(code, 1);
    assertMatch(lines.join("\n"), change);
  });
}

Deno.test("credentials in a destination are not repeated", async () => {
  const { lines } = await explained("https://user:5ecret@a.example/?q=5ecret");
  assertEquals(lines.join().includes("5ecret"), false);
});
