import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "node:path";
import { SETTING_NAMES } from "../../src/config.ts";
import { UsageError } from "../../src/machine/flags.ts";
import {
  type Flags,
  parseFlags,
  readSettings,
  USAGE,
  warningsFor,
} from "../../src/machine/settings.ts";

/** Runs `test` with these environment variables as the only settings, and undoes it. */
function withEnv(given: Readonly<Record<string, string>>, test: () => void): void {
  const before = SETTING_NAMES.map((name) => [name, Deno.env.get(name)] as const);
  try {
    for (const name of SETTING_NAMES) Deno.env.delete(name);
    for (const [name, value] of Object.entries(given)) Deno.env.set(name, value);
    test();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

/** Runs `test` with a folder that holds these secrets as files. */
function withSecrets(
  secrets: Readonly<Record<string, string>>,
  test: (folder: string) => void,
): void {
  const folder = Deno.makeTempDirSync();
  try {
    for (const [name, text] of Object.entries(secrets)) {
      Deno.writeTextFileSync(join(folder, name), text);
    }
    test(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

// Flags.

const flags: readonly (readonly [args: readonly string[], flags: Flags])[] = [
  [[], {}],
  [["-p", "9000"], { port: "9000" }],
  [["--port", "9000"], { port: "9000" }],
  [["--port=9000", "-s", "x"], { port: "9000", secret: "x" }],
  [["--secret", "a b"], { secret: "a b" }],
  [["-p", "1", "-p", "2"], { port: "2" }],
  [["-h"], { help: true }],
  [["--help"], { help: true }],
];

for (const [args, expected] of flags) {
  Deno.test(`the flags "${args.join(" ")}" are understood`, () => {
    assertEquals({ ...parseFlags(args) }, expected);
  });
}

for (
  const args of [["--polling"], ["-v"], ["--port"], ["-s"], ["--help=yes"], ["start"], ["--", "x"]]
) {
  Deno.test(`the flags "${args.join(" ")}" are refused, with how to do it rightly`, () => {
    const error = assertThrows(() => parseFlags(args), UsageError, USAGE);
    assertEquals(error.name, "UsageError");
  });
}

// Precedence.

Deno.test("a flag comes before the environment", () => {
  withEnv({ DATABOX_LOCAL_PORT: "8001", EXPORT_SECRET: "of the environment" }, () => {
    const { DATABOX_LOCAL_PORT, EXPORT_SECRET } = readSettings({
      port: "8002",
      secret: "of the flag",
    });
    assertEquals([DATABOX_LOCAL_PORT, EXPORT_SECRET], [8_002, "of the flag"]);
  });
});

Deno.test("the environment comes before a secret file", () => {
  withSecrets({ EXPORT_SECRET: "of the file" }, (folder) => {
    withEnv({ EXPORT_SECRETS_DIR: folder, EXPORT_SECRET: "of the environment" }, () => {
      assertEquals(readSettings().EXPORT_SECRET, "of the environment");
    });
  });
});

Deno.test("a secret file is read where nothing else tells the secret, without the blanks around it", () => {
  withSecrets({ EXPORT_SECRET: " of the file\n" }, (folder) => {
    withEnv({ EXPORT_SECRETS_DIR: folder, DATABOX_LOCAL_PORT: "8001" }, () => {
      const { DATABOX_LOCAL_PORT, EXPORT_SECRET } = readSettings();
      assertEquals([DATABOX_LOCAL_PORT, EXPORT_SECRET], [8_001, "of the file"]);
    });
  });
});

Deno.test("only the secret may come from a file", () => {
  withSecrets({ DATABOX_LOCAL_PORT: "8001", EXPORT_KV_PATH: "x" }, (folder) => {
    withEnv({ EXPORT_SECRETS_DIR: folder }, () => {
      const { DATABOX_LOCAL_PORT, EXPORT_KV_PATH, EXPORT_SECRET } = readSettings({});
      assertEquals([DATABOX_LOCAL_PORT, EXPORT_KV_PATH], [8_080, "data/export.kv"]);
      assertEquals(EXPORT_SECRET, undefined);
    });
  });
});

Deno.test("an empty secret is a fault, wherever it comes from, and never a default", () => {
  const refused = (flags?: Flags) =>
    assertThrows(() => readSettings(flags), UsageError, "EXPORT_SECRET must not be empty");
  withSecrets({ EXPORT_SECRET: "\n" }, (folder) => {
    withEnv({ EXPORT_SECRETS_DIR: folder }, () => refused());
    withEnv({ EXPORT_SECRETS_DIR: folder, EXPORT_SECRET: "" }, () => {
      refused();
    });
    withEnv({ EXPORT_SECRETS_DIR: folder }, () => {
      refused({ secret: "" });
    });
  });
});

Deno.test("a secret that is there but cannot be read is not taken for none", () => {
  withSecrets({}, (folder) => {
    Deno.mkdirSync(join(folder, "EXPORT_SECRET"));
    withEnv({ EXPORT_SECRETS_DIR: folder }, () => {
      const { message } = assertThrows(() => readSettings(), Error);
      assertMatch(message, /^Cannot read ".*EXPORT_SECRET", which is a folder, /);
    });
  });
});

// Warnings.

Deno.test("plain settings call for no warning", () => {
  withSecrets({}, (EXPORT_SECRETS_DIR) => {
    withEnv({ EXPORT_SECRETS_DIR }, () => assertEquals(warningsFor({}, readSettings()), []));
  });
});

Deno.test("a secret as a flag is warned of, without being told", () => {
  withSecrets({}, (EXPORT_SECRETS_DIR) => {
    withEnv({ EXPORT_SECRETS_DIR }, () => {
      const flags = { secret: "5ecret that nobody guesses" };
      const [warning = "", ...others] = warningsFor(flags, readSettings(flags));
      assertEquals([warning.includes("process lists"), others], [true, []]);
      assertEquals(warning.includes("5ecret"), false);
    });
  });
});

Deno.test("opened loopback is warned of", () => {
  withSecrets({}, (EXPORT_SECRETS_DIR) => {
    withEnv({ EXPORT_SECRETS_DIR, EXPORT_UNSAFE_ALLOW_LOOPBACK: "1" }, () => {
      const [warning = "", ...others] = warningsFor({}, readSettings());
      assertEquals([warning.split(" ")[0], others], ["EXPORT_UNSAFE_ALLOW_LOOPBACK", []]);
    });
  });
});

const openings: readonly (readonly [given: Readonly<Record<string, string>>, warning: RegExp])[] = [
  [{ EXPORT_SCHEMES: "https,http" }, /unencrypted/],
  [{ EXPORT_EGRESS: "lan", EXPORT_REQUIRE_CAVEATS: "target" }, /every public and private address/],
  [{ EXPORT_REQUIRE_CAVEATS: "target,path,method" }, /lacks destination.* every public address/],
  [{ EXPORT_EGRESS: "listed" }, /every destination is refused/],
];

for (const [given, warning] of openings) {
  Deno.test(`${JSON.stringify(given)} is warned of`, () => {
    withSecrets({}, (EXPORT_SECRETS_DIR) => {
      withEnv({ EXPORT_SECRETS_DIR, ...given }, () => {
        const [told = "", ...others] = warningsFor({}, readSettings());
        assertMatch(told, warning);
        assertEquals(others, []);
      });
    });
  });
}

Deno.test("openings that are limited are not warned of", () => {
  withSecrets({}, (EXPORT_SECRETS_DIR) => {
    const lan = { EXPORT_EGRESS: "lan", EXPORT_ALLOW_HOSTS: "nas.home.arpa" };
    withEnv(
      { EXPORT_SECRETS_DIR, ...lan },
      () => assertEquals(warningsFor({}, readSettings()), []),
    );
    const listed = {
      EXPORT_EGRESS: "listed",
      EXPORT_ALLOW_CIDRS: "10.0.0.0/8",
      EXPORT_REQUIRE_CAVEATS: "target",
    };
    withEnv(
      { EXPORT_SECRETS_DIR, ...listed },
      () => assertEquals(warningsFor({}, readSettings()), []),
    );
  });
});
