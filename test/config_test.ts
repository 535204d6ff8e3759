import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import denoJson from "../deno.json" with { type: "json" };
import { type Config, describeConfig, readConfig, SETTING_NAMES } from "../src/config.ts";

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
  EXPORT_SECRET: undefined,
  EXPORT_KV_PATH: "data/export.kv",
  EXPORT_SECRETS_DIR: "/run/secrets",
  EXPORT_EXTRA_CA: undefined,
  EXPORT_UNSAFE_ALLOW_LOOPBACK: false,
  EXPORT_REQUIRE_CAVEATS: ["target", "path", "method", "destination"],
  EXPORT_BODY_LIMIT: 1_048_576,
  EXPORT_RESPONSE_LIMIT: 1_048_576,
  EXPORT_RETENTION: 24 * HOUR,
  EXPORT_ATTEMPT_TIMEOUT: 30_000,
  EXPORT_GIVE_UP_AFTER: 24 * HOUR,
  EXPORT_RETRY_STATUSES: [],
  EXPORT_PARALLEL: 64,
  EXPORT_PARALLEL_PER_HOST: 8,
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
  ["EXPORT_SECRET", " any text ", " any text "],
  ["EXPORT_KV_PATH", ":memory:", ":memory:"],
  ["EXPORT_SECRETS_DIR", "/etc/secrets", "/etc/secrets"],
  ["EXPORT_EXTRA_CA", "data/ca.pem", "data/ca.pem"],
  ["EXPORT_UNSAFE_ALLOW_LOOPBACK", "1", true],
  ["EXPORT_UNSAFE_ALLOW_LOOPBACK", "0", false],
  ["EXPORT_REQUIRE_CAVEATS", "", []],
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
    ["EXPORT_SECRET", [""], /must not be empty/],
    ["EXPORT_KV_PATH", [""], /must not be empty/],
    ["EXPORT_SECRETS_DIR", [""], /must not be empty/],
    ["EXPORT_EXTRA_CA", [""], /must not be empty/],
    ["EXPORT_UNSAFE_ALLOW_LOOPBACK", ["", "2", "maybe"], /must be 1 or 0/],
    [
      "EXPORT_REQUIRE_CAVEATS",
      ["none", "target,Path", "target;path", "unknown", "toString"],
      /target, path, method, destination, time, max_bytes/,
    ],
    ["EXPORT_BODY_LIMIT", ["", "1", "-1B", "1GiB"], /unit, such as 512KiB or 1MiB/],
    ["EXPORT_BODY_LIMIT", ["0B", "10485761B", "11MiB"], /between 1B and 10MiB/],
    ["EXPORT_RESPONSE_LIMIT", ["0B", "11MiB"], /between 1B and 10MiB/],
    ["EXPORT_RETENTION", ["for ever", "86400"], /unit, such as 30s or 24h/],
    ["EXPORT_RETENTION", ["999ms", "366d"], /between 1s and 365d/],
    ["EXPORT_ATTEMPT_TIMEOUT", ["99ms", "601s"], /between 100ms and 10m/],
    ["EXPORT_GIVE_UP_AFTER", ["31d"], /between 0ms and 30d/],
    ["EXPORT_PARALLEL", ["0", "1025"], /between 1 and 1024/],
    ["EXPORT_PARALLEL", ["", "-1", "1.5", "many"], /such as 8/],
    ["EXPORT_PARALLEL_PER_HOST", ["0", "1025"], /between 1 and 1024/],
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
  const config = configOf({ EXPORT_GIVE_UP_AFTER: "0s", EXPORT_RETENTION: "90s" });
  assertEquals(JSON.parse(JSON.stringify(describeConfig(config))), {
    DATABOX_LOCAL_NAME: "export-service",
    DATABOX_LOCAL_PORT: 8_080,
    EXPORT_SECRET: "unset",
    EXPORT_KV_PATH: "data/export.kv",
    EXPORT_SECRETS_DIR: "/run/secrets",
    EXPORT_UNSAFE_ALLOW_LOOPBACK: false,
    EXPORT_REQUIRE_CAVEATS: ["target", "path", "method", "destination"],
    EXPORT_BODY_LIMIT: "1MiB",
    EXPORT_RESPONSE_LIMIT: "1MiB",
    EXPORT_RETENTION: "90s",
    EXPORT_ATTEMPT_TIMEOUT: "30s",
    EXPORT_GIVE_UP_AFTER: "0ms",
    EXPORT_RETRY_STATUSES: [],
    EXPORT_PARALLEL: 64,
    EXPORT_PARALLEL_PER_HOST: 8,
  });
});

Deno.test("a secret is shown as set, in no settings and no faults as itself", () => {
  const secret = fc.string({ minLength: 8, maxLength: 40, unit: "grapheme-ascii" })
    .map((text) => `5ecret${text}`);
  const port = fc.constantFrom("8080", "nonsense");
  fc.assert(
    fc.property(secret, port, (EXPORT_SECRET, DATABOX_LOCAL_PORT) => {
      const result = read({ EXPORT_SECRET, DATABOX_LOCAL_PORT });
      const shown = JSON.stringify(
        result.kind === "read" ? describeConfig(result.config) : result.faults,
      );
      assert(!shown.includes("5ecret"), shown);
      assertEquals(shown.includes(`"EXPORT_SECRET":"set"`), result.kind === "read");
    }),
    { numRuns: 200 },
  );
});
