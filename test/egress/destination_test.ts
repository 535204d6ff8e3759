/** The rules on URLs, as an app developer meets them. */
import { assertEquals, assertMatch } from "@std/assert";
import { parseCidr } from "../../src/egress/cidr.ts";
import { checkAddresses, checkDestination, type Verdict } from "../../src/egress/destination.ts";
import { DEFAULT_POLICY, type EgressPolicy } from "../../src/egress/policy.ts";
import { adviceFor, type Rule } from "../../src/egress/rules.ts";
import { hostOf, portOf } from "../../src/egress/spelling.ts";
import { ADDRESSES_MAX, DESTINATION_CHARS_MAX } from "../../src/limits.ts";
import { defined } from "../fakes/expect.ts";

const on = (policy: EgressPolicy, own: readonly string[] = []) => ({ policy, own });
const CLOSED = on(DEFAULT_POLICY);
const LOOPBACK = on({ ...DEFAULT_POLICY, allowLoopback: true });

/** The rule a verdict names, or "permitted". */
function told(verdict: Verdict): Rule | "permitted" {
  return verdict.kind === "refused" ? verdict.rule : verdict.kind;
}

/** As long as a name may be: 253 characters. */
const LONG_NAME = [63, 63, 63, 61].map((length) => "a".repeat(length)).join(".");

const TABLE: Record<Exclude<Rule, "not_listed"> | "permitted", readonly string[]> = {
  permitted: [
    "https://api.example.com",
    "https://api.example.com/hook?x=1&y=@#part",
    "HTTPS://API.Example.COM:443/",
    "https://api.example.com:8443/",
    "https://api.example.com:80/",
    "https://api.example.com:8080/",
    "https://api.example.com./",
    "https://my_bucket.example.com/",
    `https://${LONG_NAME}/`,
    `https://${LONG_NAME}./`,
    "https://bücher.example/straße",
    "https://93.184.215.14/",
    "https://[2606:4700:4700::1111]:8443/",
    `https://a.example/${"x".repeat(DESTINATION_CHARS_MAX - "https://a.example/".length)}`,
  ],
  url: [
    "",
    "api.example.com/hook",
    "/hook",
    "//api.example.com/",
    "https:api.example.com",
    "https:/api.example.com",
    "https:///api.example.com",
    "https://",
    "https://?x",
    "https:\\\\api.example.com",
    "https://api.example.com\\@evil.example",
    " https://api.example.com",
    "https://api.example.com/a b",
    "https://api.example.com/a\tb",
    "https://api.example.com/\u0000",
    "https://api.example.com/\u0085",
    "https://api.example.com/\u00a0",
    "https://api.example.com/\u2028",
    "https://api.example.com/\u2029",
    "https://api.exam\u00adple.com/",
    "https://api.example.com/\u202egnp.exe",
    "https://api.example.com/\ud800",
    "https://api.example.com:99999/",
    "https://api.example.com:443:443/",
    "https://[::1",
    "https://[fe80::1%25eth0]/",
    "https://a.example%2f.evil.example/",
    `https://a.example/${"x".repeat(DESTINATION_CHARS_MAX)}`,
  ],
  scheme: [
    "http://api.example.com/",
    "http://93.184.215.14:8080/",
    "ftp://api.example.com/",
    "file:///etc/passwd",
    "data:text/plain,hi",
    "blob:https://api.example.com/1",
    "wss://api.example.com/",
    "httpss://api.example.com/",
  ],
  userinfo: [
    "https://user:secret@api.example.com/",
    "https://user@api.example.com/",
    "https://@api.example.com/",
    "https://api.example.com@127.0.0.1/",
    "https://api.example.com/#@127.0.0.1/",
  ],
  port: [
    "https://api.example.com:0/",
    "https://api.example.com:22/",
    "https://api.example.com:8444/",
    "https://93.184.215.14:6379/",
  ],
  host: [
    "https://arbiter/",
    "https://com./",
    "https://.../",
    "https://api..example.com/",
    "https://api.example.com../",
    "https://.example.com/",
    "https://a!b.example.com/",
    "https://*.example.com/",
    "https://-a.example.com/",
    "https://a-.example.com/",
    `https://${"a".repeat(64)}.example/`,
    `https://${LONG_NAME}a/`,
  ],
  special_name: [
    "https://localhost/",
    "https://LOCALHOST./",
    "https://app.localhost/",
    "https://printer.local/",
    "https://metadata.google.internal/",
    "https://host.docker.internal/",
    "https://nas.home.arpa/",
    "https://router.lan/",
    "https://kubernetes.default.svc/",
    "https://wiki.intranet/",
    "https://mail.corp/",
    "https://nas.home/",
    "https://nas.private/",
    "https://a.onion/",
    "https://a.alt/",
    "https://a.invalid/",
    "https://a.test/",
  ],
  address: [
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f000001/",
    "https://2130706433/",
    "https://0.0.0.0/",
    "https://192.168.1.1/",
    "https://[::1]/",
    "https://[::]/",
    "https://[::ffff:127.0.0.1]/",
    "http://169.254.169.254/",
  ],
};

for (const [rule, uris] of Object.entries(TABLE)) {
  Deno.test(`destinations by rule: ${rule}`, () => {
    for (const uri of uris) assertEquals(told(checkDestination(uri, CLOSED)), rule, uri);
  });
}

Deno.test("names that only resemble special ones are permitted", () => {
  const hosts = ["localhost.example.com", "notlocal.example", "mylan.dev", "test.example"]
    .concat("a.latest", "a.example.milan");
  for (const host of hosts) {
    assertEquals(told(checkDestination(`https://${host}/`, CLOSED)), "permitted", host);
  }
});

Deno.test("every rule tells an app developer what to do, in a sentence", () => {
  const { permitted: _, ...table } = TABLE;
  const rules = [...Object.keys(table), "not_listed"] as Rule[];
  for (const rule of rules) assertMatch(adviceFor(rule, DEFAULT_POLICY), /^[A-Z].*\.$/, rule);
});

Deno.test("with loopback open, this machine is reached by http and https on any port", () => {
  for (
    const uri of [
      "http://localhost:4444/",
      "http://dest.localhost:4444/",
      "https://localhost/",
      "http://127.0.0.1:1/",
      "http://127.9.9.9/",
      "http://[::1]:4444/",
      "https://[::ffff:127.0.0.1]:4444/",
    ]
  ) assertEquals(told(checkDestination(uri, LOOPBACK)), "permitted", uri);
});

Deno.test("loopback is no address of this machine's own: its switch opens it", () => {
  const ground = on(LOOPBACK.policy, ["127.0.0.1", "::1", "192.168.9.9"]);
  for (const uri of ["http://127.0.0.1:4444/", "http://[::1]:4444/"]) {
    assertEquals(told(checkDestination(uri, ground)), "permitted", uri);
  }
  const url = new URL("http://dest.localhost:4444/");
  assertEquals(told(checkAddresses(url, ["127.0.0.1", "::1"], ground)), "permitted");
});

Deno.test("with loopback open, nothing else is relaxed", () => {
  const still: readonly (readonly [string, Rule])[] = [
    ["http://api.example.com/", "scheme"],
    ["http://93.184.215.14/", "scheme"],
    ["https://93.184.215.14:4444/", "port"],
    ["http://0.0.0.0/", "address"],
    ["http://[::]/", "address"],
    ["https://192.168.1.1/", "address"],
    ["https://printer.local/", "special_name"],
    ["https://arbiter/", "host"],
    ["http://user@localhost/", "userinfo"],
    ["ftp://localhost/", "scheme"],
  ];
  for (const [uri, rule] of still) assertEquals(told(checkDestination(uri, LOOPBACK)), rule, uri);
});

Deno.test("all addresses of a name must be public", () => {
  const url = new URL("https://api.example.com/");
  const table: readonly (readonly [readonly string[], Rule | "permitted"])[] = [
    [["93.184.215.14"], "permitted"],
    [["93.184.215.14", "2606:4700:4700::1111"], "permitted"],
    [["93.184.215.14", "::1"], "address"],
    [["10.1.2.3", "93.184.215.14"], "address"],
    [["127.0.0.1"], "address"],
    [["::ffff:169.254.169.254"], "address"],
    [["nonsense"], "address"],
    [[], "address"],
    [Array(ADDRESSES_MAX).fill("93.184.215.14"), "permitted"],
    [Array(ADDRESSES_MAX + 1).fill("93.184.215.14"), "address"],
  ];
  for (const [addresses, rule] of table) {
    assertEquals(told(checkAddresses(url, addresses, CLOSED)), rule, addresses.join());
  }
});

Deno.test("with loopback open, a name is this machine's or the internet's, not both", () => {
  const table: readonly (readonly [string, readonly string[], Rule | "permitted"])[] = [
    ["https://dev.example.com:4444/", ["127.0.0.1", "::1"], "permitted"],
    ["https://dev.example.com:4444/", ["127.0.0.1", "93.184.215.14"], "address"],
    ["https://dev.example.com:4444/", ["93.184.215.14"], "port"],
    ["https://dev.example.com/", ["93.184.215.14"], "permitted"],
    ["https://dev.example.com/", ["192.168.1.1"], "address"],
    ["http://dest.localhost:4444/", ["127.0.0.1"], "permitted"],
    ["http://dest.localhost/", ["93.184.215.14"], "address"],
    ["https://dest.localhost/", ["93.184.215.14"], "address"],
    ["http://localhost/", ["0.0.0.0"], "address"],
  ];
  for (const [uri, addresses, rule] of table) {
    const verdict = checkDestination(uri, LOOPBACK);
    assertEquals(told(verdict), "permitted", uri);
    assertEquals(told(checkAddresses(new URL(uri), addresses, LOOPBACK)), rule, uri);
  }
});

Deno.test("a port is the one that is written, or that of the scheme", () => {
  const uris = ["http://a.example/", "https://a.example/", "http://a.example:443/"];
  assertEquals(uris.map((uri) => portOf(new URL(uri))), [80, 443, 443]);
  assertJudged({ schemes: ["https", "http"], ports: [80] }, [
    ["http://a.example/", ["93.184.215.14"], "permitted"],
    ["https://a.example/", undefined, "port"],
  ]);
});

Deno.test("a host is known without brackets and without its final dot", () => {
  assertEquals(hostOf(new URL("https://[::1]:8443/")), "::1");
  assertEquals(hostOf(new URL("https://API.example.com./")), "api.example.com");
});

/** What an operator's settings make of a destination, addresses included where it has some. */
function judged(policy: Partial<EgressPolicy>, uri: string, addresses?: readonly string[]) {
  const ground = on({ ...DEFAULT_POLICY, ...policy }, ["192.168.9.9", "2606:4700::9"]);
  const verdict = checkDestination(uri, ground);
  if (verdict.kind === "refused" || addresses === undefined) return told(verdict);
  return told(checkAddresses(verdict.url, addresses, ground));
}

const cidrs = (...texts: readonly string[]) => texts.map((text) => defined(parseCidr(text)));
const hosts = (...texts: readonly string[]) =>
  texts.map((text) => {
    const [host = "", port] = text.split(":");
    return { text, host, ...(port !== undefined && { port: Number(port) }) };
  });

type Judged = readonly [uri: string, addresses: readonly string[] | undefined, Rule | "permitted"];

function assertJudged(policy: Partial<EgressPolicy>, table: readonly Judged[]): void {
  for (const [uri, addresses, rule] of table) {
    assertEquals(judged(policy, uri, addresses), rule, `${uri} ${addresses}`);
  }
}

Deno.test("lan opens private addresses, not names, core ranges or this machine", () => {
  assertJudged({ mode: "lan" }, [
    ["https://192.168.1.20/", undefined, "permitted"],
    ["https://[fd12::1]/", undefined, "permitted"],
    ["https://[::ffff:10.0.0.1]/", undefined, "permitted"],
    ["https://a.example/", ["10.0.0.1", "93.184.215.14"], "permitted"],
    ["https://nas.home.arpa/", undefined, "special_name"],
    ["https://nas/", undefined, "host"],
    ["http://192.168.1.20/", undefined, "scheme"],
    ["https://192.168.1.20:22/", undefined, "port"],
    ["https://127.0.0.1/", undefined, "address"],
    ["https://169.254.169.254/", undefined, "address"],
    ["https://100.100.100.200/", undefined, "address"],
    ["https://[fd00:ec2::254]/", undefined, "address"],
    ["https://192.0.2.1/", undefined, "address"],
    ["https://192.168.9.9/", undefined, "address"],
    ["https://[::ffff:192.168.9.9]/", undefined, "address"],
    ["https://arbiter.box-network/", ["10.0.0.3"], "address"],
    ["https://tasks.core-store/", ["10.0.0.3"], "address"],
    ["https://core-api.example.com/", ["93.184.215.14"], "permitted"],
  ]);
});

Deno.test("this machine's own public address is closed too", () => {
  assertJudged({}, [["https://[2606:4700::9]/", undefined, "address"]]);
});

Deno.test("a listed range opens private addresses, not this machine's, nor names of the box's parts", () => {
  assertJudged({ allowCidrs: cidrs("192.168.0.0/16", "93.184.0.0/16") }, [
    ["https://192.168.1.20/", undefined, "permitted"],
    ["https://192.168.9.9/", undefined, "address"],
    ["https://a.example/", ["192.168.1.20", "93.184.215.14"], "permitted"],
    ["https://arbiter.box-network/", ["192.168.1.20"], "address"],
    ["https://core-api.example.com/", ["93.184.215.14"], "permitted"],
  ]);
});

Deno.test("listed opens what is on a list, and nothing else", () => {
  const policy: Partial<EgressPolicy> = {
    mode: "listed",
    allowHosts: hosts("a.example", "b.example:9000", "nas.home.arpa"),
    allowCidrs: cidrs("192.168.1.0/24"),
  };
  assertJudged(policy, [
    ["https://a.example/", ["93.184.215.14"], "permitted"],
    ["https://A.example.:8443/", ["93.184.215.14"], "permitted"],
    ["https://a.example/", ["192.168.1.20"], "permitted"],
    ["https://a.example/", ["192.168.2.20"], "address"],
    ["https://a.example:9000/", ["93.184.215.14"], "port"],
    ["https://b.example:9000/", ["93.184.215.14"], "permitted"],
    ["https://b.example/", ["93.184.215.14"], "not_listed"],
    ["https://sub.a.example/", ["93.184.215.14"], "not_listed"],
    ["https://c.example/", ["192.168.1.20"], "permitted"],
    ["https://c.example/", ["192.168.1.20", "93.184.215.14"], "not_listed"],
    ["https://93.184.215.14/", undefined, "not_listed"],
    ["https://nas.home.arpa/", ["192.168.1.20"], "permitted"],
  ]);
  assertJudged({ mode: "listed", allowHosts: hosts("a.example") }, [
    ["https://a.example/", undefined, "permitted"],
    ["https://c.example/", undefined, "not_listed"],
  ]);
  assertJudged({ mode: "listed" }, [["https://a.example/", undefined, "not_listed"]]);
});

Deno.test("a listed host opens its name and its port, not its addresses", () => {
  const policy = { allowHosts: hosts("nas.home.arpa:9000", "nas") };
  assertJudged(policy, [
    ["https://nas.home.arpa:9000/", ["93.184.215.14"], "permitted"],
    ["https://nas.home.arpa:9000/", ["192.168.1.20"], "address"],
    ["https://nas.home.arpa/", undefined, "special_name"],
    ["https://nas/", ["93.184.215.14"], "permitted"],
    ["https://nas:9000/", undefined, "port"],
    ["https://a.example:9000/", undefined, "port"],
  ]);
});

Deno.test("what is denied is closed in any notation, whatever opens it", () => {
  const policy: Partial<EgressPolicy> = {
    mode: "lan",
    allowLoopback: true,
    allowCidrs: cidrs("192.168.1.0/24", "198.18.0.0/15"),
    denyCidrs: cidrs("192.168.1.1", "8.8.8.0/24", "127.0.0.2", "2606:4700::/32", "10.0.0.0/8"),
    nat64Prefixes: cidrs("64:ff9b::/96"),
  };
  assertJudged(policy, [
    ["https://192.168.1.1/", undefined, "address"],
    ["https://[::ffff:192.168.1.1]/", undefined, "address"],
    ["https://[64:ff9b::192.168.1.1]/", undefined, "address"],
    ["https://8.8.8.8/", undefined, "address"],
    ["https://127.0.0.2/", undefined, "address"],
    ["https://127.0.0.1/", undefined, "permitted"],
    ["https://[2606:4700::1]/", undefined, "address"],
    ["https://a.example/", ["93.184.215.14", "10.1.1.1"], "address"],
    ["https://192.168.1.2/", undefined, "permitted"],
    ["https://198.19.0.1/", undefined, "permitted"],
  ]);
});

Deno.test("behind an operator's NAT64, the address carried is what counts", () => {
  const nat64Prefixes = cidrs("64:ff9b::/96", "2a00:1098::/32", "2a01:4f8:c000::/40")
    .concat(cidrs("2a01:4f8:17::/48", "2a01:4f8:18:100::/56", "2a01:4f8:19:1::/64"));
  const table: readonly Judged[] = [
    ["https://[64:ff9b::8.8.8.8]/", undefined, "permitted"],
    ["https://[64:ff9b::10.0.0.1]/", undefined, "address"],
    ["https://[64:ff9b::127.0.0.1]/", undefined, "address"],
    ["https://[64:ff9b::169.254.169.254]/", undefined, "address"],
    // 10.0.0.1 under each length of RFC 6052, around byte 8.
    ["https://[2a00:1098:a00:1::]/", undefined, "address"],
    ["https://[2a01:4f8:c00a:0:1::]/", undefined, "address"],
    ["https://[2a01:4f8:17:a00:0:100::]/", undefined, "address"],
    ["https://[2a01:4f8:18:10a:0:1::]/", undefined, "address"],
    ["https://[2a01:4f8:19:1:a:0:100::]/", undefined, "address"],
    // 8.8.8.8 likewise.
    ["https://[2a00:1098:808:808::]/", undefined, "permitted"],
    ["https://[2a01:4f8:c008:808:8::]/", undefined, "permitted"],
    ["https://[2a01:4f8:17:808:8:800::]/", undefined, "permitted"],
    ["https://[2a01:4f8:18:108:8:808::]/", undefined, "permitted"],
    ["https://[2a01:4f8:19:1:8:808:800::]/", undefined, "permitted"],
  ];
  assertJudged({ nat64Prefixes }, table);
  assertJudged({ nat64Prefixes, allowLoopback: true }, table);
  assertJudged({ nat64Prefixes, mode: "lan" }, [
    ["https://[64:ff9b::10.0.0.1]/", undefined, "permitted"],
    ["https://[64:ff9b::192.168.9.9]/", undefined, "address"],
  ]);
});

Deno.test("NAT64 opens nothing that is closed as the address it is written as", () => {
  const behind = (prefix: string, denied = "203.0.113.0/24") => ({
    nat64Prefixes: cidrs(prefix),
    denyCidrs: cidrs(denied),
  });
  const uri = "https://[2a00:1098:808:808::]/";
  assertJudged(behind("2a00:1098::/32"), [[uri, undefined, "permitted"]]);
  assertJudged(behind("2a00:1098::/32", "2a00:1098:808::/48"), [[uri, undefined, "address"]]);
  // No such prefix starts; if one did, it would open nothing.
  assertJudged(behind("fe80::/64"), [["https://[fe80::8:808:800:0]/", undefined, "address"]]);
});

Deno.test("schemes and ports are those that are set, and the words say so", () => {
  const policy: Partial<EgressPolicy> = { schemes: ["http"], ports: [8_080, 9_000] };
  assertJudged(policy, [
    ["http://a.example:8080/", ["93.184.215.14"], "permitted"],
    ["http://93.184.215.14:9000/", undefined, "permitted"],
    ["http://a.example/", undefined, "port"],
    ["https://a.example:9000/", undefined, "scheme"],
  ]);
  const words = (rule: Rule) => adviceFor(rule, { ...DEFAULT_POLICY, ...policy });
  assertEquals(words("port"), "Use port 8080 or 9000.");
  assertEquals(words("scheme"), "Use http.");
  assertEquals(adviceFor("port", DEFAULT_POLICY), "Use port 443, 8443, 80 or 8080.");
});

Deno.test("only where nothing but the internet is open is an app told that addresses must be public", () => {
  const words = (policy: Partial<EgressPolicy>) =>
    adviceFor("address", { ...DEFAULT_POLICY, ...policy });
  assertMatch(words({}), /public internet addresses only/);
  const opened: readonly Partial<EgressPolicy>[] = [
    { mode: "lan" },
    { mode: "listed" },
    { allowCidrs: cidrs("192.168.1.0/24") },
  ];
  for (const policy of opened) assertMatch(words(policy), /addresses are open on this box/);
});
