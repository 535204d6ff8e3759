import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import denoJson from "../deno.json" with { type: "json" };
import { type Config, describeConfig, readConfig, SETTING_NAMES } from "../src/config.ts";
import { memoryGrowthMax, openBounds, requestBounds, socketBounds } from "../src/limit_settings.ts";

type Given = Readonly<Record<string, string>>;

function read(given: Given) {
  return readConfig((name) => given[name]);
}

function configOf(given: Given): Config {
  const result = read(given);
  if (result.kind === "read") return result.config;
  throw new Error(`Cannot read the settings: ${result.faults.join("; ")}`);
}

function faultsOf(given: Given): readonly string[] {
  const result = read(given);
  return result.kind === "faulty" ? result.faults : [];
}

const HOUR = 3_600_000;
const PRESET: Config = {
  DATABOX_LOCAL_NAME: "export-service",
  DATABOX_LOCAL_PORT: 8_080,
  DATABOX_ARBITER_ENDPOINT: undefined,
  EXPORT_SECRET: undefined,
  EXPORT_METRICS_TOKEN: undefined,
  EXPORT_KV_PATH: "data/export.kv",
  EXPORT_FREE_SPACE_FLOOR: 134_217_728,
  EXPORT_SECRETS_DIR: "/run/secrets",
  EXPORT_EXTRA_CA: undefined,
  EXPORT_SECRET_GRACE: 168 * HOUR,
  EXPORT_EGRESS: "public",
  EXPORT_ALLOW_HOSTS: [],
  EXPORT_ALLOW_CIDRS: [],
  EXPORT_DENY_CIDRS: [],
  EXPORT_SCHEMES: ["https"],
  EXPORT_PORTS: [443, 8_443, 80, 8_080],
  EXPORT_NAT64_PREFIXES: [],
  EXPORT_UNSAFE_ALLOW_LOOPBACK: false,
  EXPORT_REQUIRE_CAVEATS: ["target", "path", "method", "destination"],
  EXPORT_BODY_LIMIT: 1_048_576,
  EXPORT_RESPONSE_LIMIT: 1_048_576,
  EXPORT_RETENTION: 24 * HOUR,
  EXPORT_ATTEMPT_TIMEOUT: 30_000,
  EXPORT_GIVE_UP_AFTER: 24 * HOUR,
  EXPORT_RETRY_STATUSES: [],
  EXPORT_PARALLEL: 128,
  EXPORT_PARALLEL_PER_HOST: 64,
  EXPORT_URL_LIMIT: 8_192,
  EXPORT_HEADER_LIMIT: 32_768,
  EXPORT_JSON_DEPTH: 128,
  EXPORT_BODY_TIMEOUT: 30_000,
  EXPORT_RECEIVING: 134_217_728,
  EXPORT_RECEIVING_PER_OWNER: 67_108_864,
  EXPORT_POLLS: 4_096,
  EXPORT_POLLS_PER_OWNER: 2_048,
  EXPORT_SOCKETS: 512,
  EXPORT_SOCKETS_PER_OWNER: 64,
  EXPORT_OPEN: 10_000,
  EXPORT_OPEN_BYTES: 268_435_456,
  EXPORT_STORED_PER_DAY: 2_147_483_648,
  EXPORT_REQUESTS_PER_SECOND: 10_000,
};

Deno.test("a service for which nothing is set has these settings, and no secret", () => {
  const config = configOf({});
  assertEquals({ ...PRESET, ...config }, PRESET);
  assertEquals(Object.keys(PRESET), [...SETTING_NAMES]);
});

const understood: readonly (readonly [keyof Config, text: string, Config[keyof Config]])[] = [
  ["DATABOX_LOCAL_NAME", "box-export", "box-export"],
  ["DATABOX_LOCAL_PORT", "0", 0],
  ["DATABOX_LOCAL_PORT", "65535", 65_535],
  ["DATABOX_ARBITER_ENDPOINT", "tcp://arbiter:4444", new URL("tcp://arbiter:4444")],
  ["DATABOX_ARBITER_ENDPOINT", "tcp://[::1]:4444/", new URL("tcp://[::1]:4444/")],
  ["DATABOX_ARBITER_ENDPOINT", "https://arbiter", new URL("https://arbiter/")],
  ["DATABOX_ARBITER_ENDPOINT", "https://arbiter:8080/", new URL("https://arbiter:8080/")],
  ["EXPORT_SECRET_GRACE", "0s", 0],
  ["EXPORT_SECRET_GRACE", "365d", 8_760 * HOUR],
  ["EXPORT_SECRET", " any text ", " any text "],
  ["EXPORT_METRICS_TOKEN", "0123456789-._~+/=", "0123456789-._~+/="],
  ["EXPORT_KV_PATH", ":memory:", ":memory:"],
  ["EXPORT_FREE_SPACE_FLOOR", "0B", 0],
  ["EXPORT_FREE_SPACE_FLOOR", "1048576MiB", 2 ** 40],
  ["EXPORT_SECRETS_DIR", "/etc/secrets", "/etc/secrets"],
  ["EXPORT_EXTRA_CA", "data/ca.pem", "data/ca.pem"],
  ["EXPORT_EGRESS", "lan", "lan"],
  ["EXPORT_EGRESS", "listed", "listed"],
  ["EXPORT_ALLOW_HOSTS", " , ", []],
  ["EXPORT_SCHEMES", "https, http", ["https", "http"]],
  ["EXPORT_PORTS", "443", [443]],
  ["EXPORT_PORTS", "1,65535", [1, 65_535]],
  ["EXPORT_UNSAFE_ALLOW_LOOPBACK", "1", true],
  ["EXPORT_UNSAFE_ALLOW_LOOPBACK", "0", false],
  ["EXPORT_REQUIRE_CAVEATS", "target", ["target"]],
  ["EXPORT_REQUIRE_CAVEATS", " target , max_bytes,", ["target", "max_bytes"]],
  ["EXPORT_BODY_LIMIT", "1B", 1],
  ["EXPORT_BODY_LIMIT", "10MiB", 10_485_760],
  ["EXPORT_RESPONSE_LIMIT", "64 KiB", 65_536],
  ["EXPORT_RETENTION", "1s", 1_000],
  ["EXPORT_RETENTION", "365d", 8_760 * HOUR],
  ["EXPORT_ATTEMPT_TIMEOUT", "100ms", 100],
  ["EXPORT_ATTEMPT_TIMEOUT", "10m", 600_000],
  ["EXPORT_GIVE_UP_AFTER", "0s", 0],
  ["EXPORT_GIVE_UP_AFTER", "30d", 720 * HOUR],
  ["EXPORT_PARALLEL", "1", 1],
  ["EXPORT_PARALLEL", "1024", 1_024],
  ["EXPORT_PARALLEL_PER_HOST", " 3 ", 3],
  ["EXPORT_URL_LIMIT", "256B", 256],
  ["EXPORT_HEADER_LIMIT", "64KiB", 65_536],
  ["EXPORT_JSON_DEPTH", "1", 1],
  ["EXPORT_BODY_TIMEOUT", "10m", 600_000],
  ["EXPORT_RECEIVING", "31MiB", 32_505_856],
  ["EXPORT_RECEIVING_PER_OWNER", "65536MiB", 68_719_476_736],
  ["EXPORT_POLLS", "65536", 65_536],
  ["EXPORT_SOCKETS_PER_OWNER", "1", 1],
  ["EXPORT_OPEN", "1000000", 1_000_000],
  ["EXPORT_OPEN_BYTES", "10MiB", 10_485_760],
  ["EXPORT_STORED_PER_DAY", "1024GiB", 2 ** 40],
  ["EXPORT_REQUESTS_PER_SECOND", "1", 1],
  ["EXPORT_RETRY_STATUSES", " 429, 503,", [429, 503]],
];

for (const [name, text, value] of understood) {
  Deno.test(`${name}="${text}" is understood`, () => {
    assertEquals(configOf({ [name]: text })[name], value);
  });
}

const refused: readonly (readonly [name: keyof Config, texts: readonly string[], fault: RegExp])[] =
  [
    ["DATABOX_LOCAL_NAME", [""], /must not be empty/],
    ["DATABOX_LOCAL_PORT", ["", "-1", "65536", "80a", "8.5", " 80", "1e3"], /0 to 65535/],
    [
      "DATABOX_ARBITER_ENDPOINT",
      [
        "",
        "arbiter",
        "arbiter:4444",
        "tcp://arbiter",
        "tcp://arbiter:99999",
        "tcp://arbiter:4444/x",
        "http://arbiter:8080",
        "https://name:5ecret@arbiter",
        "https://arbiter/?x",
      ],
      /like tcp:\/\/arbiter:4444 or https:\/\/arbiter:8080/,
    ],
    ["EXPORT_SECRET", [""], /must not be empty/],
    [
      "EXPORT_METRICS_TOKEN",
      ["", "0123456789abcde", "0123456789 abcdef"],
      /must be 16 or more letters/,
    ],
    ["EXPORT_KV_PATH", [""], /must not be empty/],
    ["EXPORT_FREE_SPACE_FLOOR", ["1025GiB"], /between 0B and 1024GiB/],
    ["EXPORT_SECRETS_DIR", [""], /must not be empty/],
    ["EXPORT_EXTRA_CA", [""], /must not be empty/],
    ["EXPORT_SECRET_GRACE", ["366d"], /between 0ms and 365d/],
    ["EXPORT_EGRESS", ["", "all", "Public", "public,lan"], /one of public, lan, listed/],
    ["EXPORT_ALLOW_HOSTS", ["https://a.example", "a.example:0"], /such as nas.home.arpa/],
    ["EXPORT_ALLOW_CIDRS", ["10.0.0.0/33", "nas"], /such as 192.168.1.0\/24/],
    ["EXPORT_DENY_CIDRS", ["10.0.0.0/33", "nas"], /such as 192.168.1.0\/24/],
    ["EXPORT_SCHEMES", ["", " , "], /must not be empty/],
    ["EXPORT_SCHEMES", ["ftp", "HTTPS", "https:"], /https or http/],
    ["EXPORT_PORTS", [""], /must not be empty/],
    ["EXPORT_PORTS", ["0", "65536", "-1", "https", "1e3", "80-90"], /1 to 65535/],
    ["EXPORT_NAT64_PREFIXES", ["64:ff9b::/64", "10.0.0.0/8"], /such as 64:ff9b::\/96/],
    ["EXPORT_UNSAFE_ALLOW_LOOPBACK", ["", "2", "true", "yes"], /must be 1 or 0/],
    [
      "EXPORT_REQUIRE_CAVEATS",
      ["", " , ", "none", "target,Path", "target;path", "unknown", "toString"],
      /target, path, method, destination, time, max_bytes/,
    ],
    [
      "EXPORT_BODY_LIMIT",
      ["", "1", "-1B", "1TiB"],
      /unit, B, KiB, MiB, GiB, kB or MB, such as 512KiB or 1MiB/,
    ],
    ["EXPORT_BODY_LIMIT", ["0B", "10485761B", "11MiB"], /between 1B and 10MiB/],
    ["EXPORT_RESPONSE_LIMIT", ["0B", "11MiB"], /between 1B and 10MiB/],
    ["EXPORT_RETENTION", ["for ever", "86400"], /unit, such as 30s or 24h/],
    ["EXPORT_RETENTION", ["999ms", "366d"], /between 1s and 365d/],
    ["EXPORT_ATTEMPT_TIMEOUT", ["99ms", "601s"], /between 100ms and 10m/],
    ["EXPORT_GIVE_UP_AFTER", ["31d"], /between 0ms and 30d/],
    ["EXPORT_PARALLEL", ["0", "1025"], /between 1 and 1024/],
    ["EXPORT_PARALLEL", ["", "-1", "1.5", "many"], /such as 8/],
    ["EXPORT_PARALLEL_PER_HOST", ["0", "1025"], /between 1 and 1024/],
    ["EXPORT_URL_LIMIT", ["255B", "65KiB"], /between 256B and 64KiB/],
    ["EXPORT_HEADER_LIMIT", ["1023B", "65KiB"], /between 1KiB and 64KiB/],
    ["EXPORT_JSON_DEPTH", ["0", "1025"], /between 1 and 1024/],
    ["EXPORT_BODY_TIMEOUT", ["999ms", "11m"], /between 1s and 10m/],
    ["EXPORT_RECEIVING", ["30MiB", "65537MiB"], /between 31MiB and 64GiB/],
    ["EXPORT_RECEIVING_PER_OWNER", ["30MiB"], /between 31MiB and 64GiB/],
    ["EXPORT_POLLS", ["0", "65537"], /between 1 and 65536/],
    ["EXPORT_POLLS_PER_OWNER", ["0", "65537"], /between 1 and 65536/],
    ["EXPORT_SOCKETS", ["0", "65537"], /between 1 and 65536/],
    ["EXPORT_SOCKETS_PER_OWNER", ["0", "65537"], /between 1 and 65536/],
    ["EXPORT_OPEN", ["0", "1000001"], /between 1 and 1000000/],
    ["EXPORT_STORED_PER_DAY", ["1023KiB", "1025GiB"], /between 1MiB and 1024GiB/],
    ["EXPORT_OPEN_BYTES", ["10239KiB", "65537MiB"], /between 10MiB and 64GiB/],
    ["EXPORT_REQUESTS_PER_SECOND", ["0", "1000001"], /between 1 and 1000000/],
    ["EXPORT_RETRY_STATUSES", ["all", "200", "600", "429 503"], /from 400 to 599/],
  ];

for (const [name, texts, fault] of refused) {
  Deno.test(`${name} is refused as ${texts.map((text) => `"${text}"`).join(", ")}`, () => {
    for (const text of texts) {
      const [first = "", ...others] = faultsOf({ [name]: text });
      assert(first.startsWith(`${name} must `), `${text}: ${first}`);
      assertMatch(first, fault);
      assertEquals(others, []);
    }
  });
}

Deno.test("every fault is told at once", () => {
  const given = Object.fromEntries(refused.map(([name, [text = ""]]) => [name, text]));
  const named = faultsOf(given).map((fault) => fault.split(" ")[0]);
  assertEquals(named, [...SETTING_NAMES]);
});

Deno.test("each setting is asked for once, by its name, and nothing else is", () => {
  const asked: string[] = [];
  readConfig((name) => void asked.push(name));
  assertEquals(asked, [...SETTING_NAMES]);
});

Deno.test("the tasks may see the environment variables of the settings, and of no others", () => {
  const prefixes = ["DATABOX_", "EXPORT_"];
  const named = (name: string) => prefixes.some((prefix) => name.startsWith(prefix));
  assertEquals(SETTING_NAMES.filter((name) => !named(name)), []);
  for (const task of [denoJson.tasks.start, denoJson.tasks.token, denoJson.tasks.ledger]) {
    const [, names = ""] = /--allow-env='([^']+)'/.exec(task) ?? [];
    assertEquals(names.split(","), prefixes.map((prefix) => `${prefix}*`));
  }
});

Deno.test("the settings are shown as an operator writes them", () => {
  const config = configOf({
    EXPORT_ALLOW_HOSTS: "nas.home.arpa:9000",
    EXPORT_ALLOW_CIDRS: "192.168.1.0/24, fd12::1",
    EXPORT_DENY_CIDRS: "192.168.1.1",
    EXPORT_NAT64_PREFIXES: "64:ff9b::/96",
    EXPORT_GIVE_UP_AFTER: "0s",
    EXPORT_RETENTION: "90s",
  });
  assertEquals(JSON.parse(JSON.stringify(describeConfig(config))), {
    DATABOX_LOCAL_NAME: "export-service",
    DATABOX_LOCAL_PORT: 8_080,
    EXPORT_SECRET: "unset",
    EXPORT_METRICS_TOKEN: "unset",
    EXPORT_KV_PATH: "data/export.kv",
    EXPORT_FREE_SPACE_FLOOR: "128MiB",
    EXPORT_SECRETS_DIR: "/run/secrets",
    EXPORT_SECRET_GRACE: "7d",
    EXPORT_EGRESS: "public",
    EXPORT_ALLOW_HOSTS: ["nas.home.arpa:9000"],
    EXPORT_ALLOW_CIDRS: ["192.168.1.0/24", "fd12::1"],
    EXPORT_DENY_CIDRS: ["192.168.1.1"],
    EXPORT_SCHEMES: ["https"],
    EXPORT_PORTS: [443, 8_443, 80, 8_080],
    EXPORT_NAT64_PREFIXES: ["64:ff9b::/96"],
    EXPORT_UNSAFE_ALLOW_LOOPBACK: false,
    EXPORT_REQUIRE_CAVEATS: ["target", "path", "method", "destination"],
    EXPORT_BODY_LIMIT: "1MiB",
    EXPORT_RESPONSE_LIMIT: "1MiB",
    EXPORT_RETENTION: "90s",
    EXPORT_ATTEMPT_TIMEOUT: "30s",
    EXPORT_GIVE_UP_AFTER: "0ms",
    EXPORT_RETRY_STATUSES: [],
    EXPORT_PARALLEL: 128,
    EXPORT_PARALLEL_PER_HOST: 64,
    EXPORT_URL_LIMIT: "8KiB",
    EXPORT_HEADER_LIMIT: "32KiB",
    EXPORT_JSON_DEPTH: 128,
    EXPORT_BODY_TIMEOUT: "30s",
    EXPORT_RECEIVING: "128MiB",
    EXPORT_RECEIVING_PER_OWNER: "64MiB",
    EXPORT_POLLS: 4_096,
    EXPORT_POLLS_PER_OWNER: 2_048,
    EXPORT_SOCKETS: 512,
    EXPORT_SOCKETS_PER_OWNER: 64,
    EXPORT_OPEN: 10_000,
    EXPORT_OPEN_BYTES: "256MiB",
    EXPORT_STORED_PER_DAY: "2GiB",
    EXPORT_REQUESTS_PER_SECOND: 10_000,
  });
});

Deno.test("each limit bounds what its name says", () => {
  const config = configOf({
    EXPORT_URL_LIMIT: "1001B",
    EXPORT_HEADER_LIMIT: "1024B",
    EXPORT_JSON_DEPTH: "3",
    EXPORT_BODY_TIMEOUT: "4s",
    EXPORT_RECEIVING: "50MB",
    EXPORT_RECEIVING_PER_OWNER: "40MB",
    EXPORT_POLLS: "7",
    EXPORT_POLLS_PER_OWNER: "6",
    EXPORT_SOCKETS: "9",
    EXPORT_SOCKETS_PER_OWNER: "8",
    EXPORT_OPEN: "11",
    EXPORT_OPEN_BYTES: "12MiB",
    EXPORT_REQUESTS_PER_SECOND: "13",
  });
  const { answers: _, answersWaiting: __, ...settable } = requestBounds(config);
  assertEquals(settable, {
    urlChars: 1_001,
    headerBytes: 1_024,
    jsonDepth: 3,
    bodyTimeoutMs: 4_000,
    bodies: { total: 50_000_000, perOwner: 40_000_000 },
    polls: { total: 7, perOwner: 6 },
    requestsPerSecond: 13,
  });
  assertEquals(socketBounds(config), { total: 9, perOwner: 8 });
  assertEquals(openBounds(config), { exports: 11, bytes: 12_582_912 });
  // README: once the process has grown by three times `EXPORT_RECEIVING` beside its sockets.
  assertEquals(memoryGrowthMax(config), 150_000_000);
});

Deno.test("a secret is shown as set, in no settings and no faults as itself", () => {
  const secret = fc.string({ minLength: 8, maxLength: 40, unit: "grapheme-ascii" })
    .map((text) => `5ecret${text}`);
  const name = fc.constantFrom("EXPORT_SECRET", "EXPORT_METRICS_TOKEN");
  const port = fc.constantFrom("8080", "nonsense");
  fc.assert(
    fc.property(name, secret, port, (name, secret, DATABOX_LOCAL_PORT) => {
      const result = read({ [name]: secret, DATABOX_LOCAL_PORT });
      const shown = JSON.stringify(
        result.kind === "read" ? describeConfig(result.config) : result.faults,
      );
      assert(!shown.includes("5ecret"), shown);
      assertEquals(shown.includes(`"${name}":"set"`), result.kind === "read");
    }),
    { numRuns: 200 },
  );
});

Deno.test("README tells every setting, and the defaults that are in effect", async () => {
  const readme = await Deno.readTextFile(new URL("../README.md", import.meta.url));
  const [, section = ""] = /^## Configure it\n([^]*?)^## /m.exec(readme) ?? [];
  const told = [...section.matchAll(/^\| (`[^|]+?) *\| ([^|]+?) *\|/gm)].flatMap((row) => {
    const [names, presets] = row.slice(1).map((cell) => cell.match(/`[^`]+`|–/g) ?? []);
    return names?.flatMap((name, n) => name.startsWith("`-") ? [] : [[name, presets?.[n]]]) ?? [];
  }).map((pair) => pair.map((text = "") => text.replaceAll("`", "")));
  assertEquals(told.map(([name]) => name).toSorted(), SETTING_NAMES.toSorted());
  // That of the endpoint is in effect only where there is an arbiter.
  const given = told.filter(([name, preset]) =>
    preset !== "–" && name !== "DATABOX_ARBITER_ENDPOINT"
  );
  assertEquals(configOf(Object.fromEntries(given)), configOf({}));
});
