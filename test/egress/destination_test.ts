/** The rules on URLs, as an app developer meets them. */
import { assertEquals, assertMatch } from "@std/assert";
import {
  checkAddresses,
  checkDestination,
  hostOf,
  type Rule,
  RULES,
  type Verdict,
} from "../../src/egress/destination.ts";
import { DESTINATION_CHARS_MAX } from "../../src/limits.ts";

const CLOSED = { allowLoopback: false };
const LOOPBACK = { allowLoopback: true };

/** The rule a verdict names, or "permitted". */
function told(verdict: Verdict): Rule | "permitted" {
  return verdict.kind === "refused" ? verdict.rule : verdict.kind;
}

const TABLE: Record<Rule | "permitted", readonly string[]> = {
  permitted: [
    "https://api.example.com",
    "https://api.example.com/hook?x=1&y=@#part",
    "HTTPS://API.Example.COM:443/",
    "https://api.example.com:8443/",
    "https://api.example.com:80/",
    "https://api.example.com:8080/",
    "https://api.example.com./",
    "https://my_bucket.example.com/",
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
    `https://${"a.".repeat(127)}example/`,
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
  for (const host of ["localhost.example.com", "notlocal.example", "mylan.dev", "test.example"]) {
    assertEquals(told(checkDestination(`https://${host}/`, CLOSED)), "permitted", host);
  }
});

Deno.test("every rule tells an app developer what to do, in a sentence", () => {
  for (const text of Object.values(RULES)) assertMatch(text, /^[A-Z].*\.$/);
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

Deno.test("a host is known without brackets and without its final dot", () => {
  assertEquals(hostOf(new URL("https://[::1]:8443/")), "::1");
  assertEquals(hostOf(new URL("https://API.example.com./")), "api.example.com");
});
