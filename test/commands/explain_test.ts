/** What an operator is told about a destination. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import { explain, explainArguments } from "../../src/commands/explain.ts";
import { egressPolicy, readConfig } from "../../src/config.ts";
import { parseCidr } from "../../src/egress/cidr.ts";
import { DEFAULT_POLICY, type EgressPolicy } from "../../src/egress/policy.ts";
import { UsageError } from "../../src/machine/flags.ts";
import { defined } from "../fakes/expect.ts";

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
  const ground = { policy: DEFAULT_POLICY, own: [] };
  // The system's resolver rejects where there is none.
  for (const resolve of [() => Promise.resolve([]), () => Promise.reject(new Error("ENOTFOUND"))]) {
    const none = await explain(uri, ground, resolve);
    assertEquals([none.code, none.lines.at(-1)], [
      1,
      "nothing can be sent: a.example has no address for now",
    ]);
  }
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
    ["https://arbiter/", /a single word.*\n.*no setting changes this/],
    ["https://core-store:8080/", /a single word.*\n.*no setting changes this/, { mode: "lan" }],
    ["https://localhost/", /EXPORT_UNSAFE_ALLOW_LOOPBACK=1, for demos and tests only/],
    ["https://metadata.google.internal/", /no setting changes this/],
    ["https://nas/", /a single word.*\n.*to change this: EXPORT_ALLOW_HOSTS=nas/],
    ["https://a.example/", /to change this: EXPORT_ALLOW_HOSTS=a\.example/, { mode: "listed" }],
    ["https://8.8.8.8/", /to change this: EXPORT_ALLOW_CIDRS=8\.8\.8\.8/, { mode: "listed" }],
    [
      "https://93.184.215.14/",
      /to change this: EXPORT_DENY_CIDRS without 93\.184\.0\.0\/16/,
      { mode: "lan", denyCidrs: [defined(parseCidr("93.184.0.0/16"))] },
    ],
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

Deno.test("a port that only this machine may have is judged when the addresses are known", async () => {
  const policy = { allowLoopback: true };
  const open = await explained("https://a.example:9000/", policy);
  assertEquals(open.code, 0);
  assertMatch(open.lines.join("\n"), /yes {2}port .*9000 is not in .*judged at each attempt\n/);
  const elsewhere = await explained("https://a.example:9000/", policy, ["93.184.215.14"]);
  assertEquals(elsewhere.code, 1);
  assertEquals((await explained("https://a.example:9000/", policy, ["127.0.0.1"])).code, 0);
});

const LISTS = {
  mode: "listed",
  allowHosts: [{ text: "partner.example", host: "partner.example" }],
  allowCidrs: [defined(parseCidr("10.0.0.0/8"))],
} as const;

Deno.test("what is listed already stays listed by what would change it", async () => {
  for (
    const [uri, change] of [
      ["https://other.example/", "EXPORT_ALLOW_HOSTS=partner.example,other.example"],
      ["https://192.168.1.1/", "EXPORT_ALLOW_CIDRS=10.0.0.0/8,192.168.1.1"],
    ] as const
  ) {
    const { lines } = await explain(
      uri,
      { policy: { ...DEFAULT_POLICY, ...LISTS }, own: [] },
      () => Promise.resolve(["8.8.8.8"]),
    );
    assert(lines.some((line) => line.endsWith(`to change this: ${change}`)), lines.join("\n"));
  }
});

const HOSTS = ["arbiter", "core-x", "nas", "localhost", "a.localhost", "a.example", "nas.lan"];

Deno.test("whatever setting is advised, the service starts with it, and the rule holds then", async () => {
  const addresses = fc.oneof(
    fc.ipV4(),
    fc.ipV6().map((text) => `[${text}]`),
    fc.constantFrom("127.0.0.1", "[::1]", "169.254.169.254", "172.17.0.1", "[64:ff9b::808:808]"),
  );
  const hosts = fc.oneof(fc.constantFrom(...HOSTS, "metadata.google.internal"), addresses);
  const ports = fc.constantFrom("", ":80", ":8443", ":9000", ":65535");
  const schemes = fc.constantFrom("https", "http");
  const modes = fc.constantFrom("public", "lan", "listed");
  await fc.assert(
    fc.asyncProperty(schemes, hosts, ports, modes, async (scheme, host, port, mode) => {
      const uri = `${scheme}://${host}${port}/`;
      const before = await explained(uri, { mode });
      for (const [n, line] of before.lines.entries()) {
        const [, advice] = /^ +to change this: (.*)$/.exec(line) ?? [];
        for (const setting of advice?.split(" or ") ?? []) {
          const [, name = "", value = ""] = /^(\w+)=([^ ]+?)(?:,? for .*)?$/.exec(setting) ?? [];
          const given: Record<string, string> = { EXPORT_EGRESS: mode, [name]: value };
          const read = readConfig((each) => given[each]);
          assertEquals(read.kind, "read", `${uri}: ${setting}`);
          if (read.kind === "faulty") continue;
          const ground = { policy: egressPolicy(read.config), own: [] };
          const after = await explain(uri, ground, undefined);
          const broken = defined(before.lines[n - 1]);
          assert(!after.lines.includes(broken), `${setting} leaves: ${broken}`);
        }
      }
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("credentials in a destination are not repeated", async () => {
  const { lines } = await explained("https://user:5ecret@a.example/?q=5ecret");
  assertEquals(lines.join().includes("5ecret"), false);
});

Deno.test("a wrong call is told what is wrong with it, and how it is done", () => {
  const wrong: [args: string[], fault: string][] = [
    [["--resolv", "https://a.example/"], "Unknown option '--resolv'"],
    [["https://a.example/", "b"], "One URL at a time, not also b"],
    [[], "Usage: deno task explain"],
  ];
  for (const [args, fault] of wrong) {
    const { message } = assertThrows(() => explainArguments(args), UsageError, fault);
    assert(message.includes("Usage: deno task explain URL [--resolve]"));
  }
  assertEquals(explainArguments(["u", "--resolve"]), { uri: "u", resolves: true });
});
