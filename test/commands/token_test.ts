import { assertEquals, assertThrows } from "@std/assert";
import { type Access, type Grant, ownerOf } from "../../src/authorise/authorise.ts";
import { deriveRootKey } from "../../src/authorise/macaroon.ts";
import { tokenFor, tokenOptions } from "../../src/commands/token.ts";
import { UsageError } from "../../src/machine/flags.ts";
import { verdictOn } from "../authorise/tokens.ts";

const SECRET = "3f0c1d7a-9a53-4b7e-8f6e-0d6c1c1f5a42";
const NOW = Date.UTC(2030, 0, 1);
const DESTINATION = "https://export.amar.io/";
const SERVICE = { name: "export-service", now: NOW };
const ACCESS: Access = { target: "export-service", path: "/lp/export", method: "POST", now: NOW };

function mint(...args: string[]): string {
  return tokenFor(tokenOptions(["--destination", DESTINATION, ...args]), SECRET, SERVICE);
}

/** What the service says of a token that `args` ask for. */
function judged(args: readonly string[], access: Partial<Access> = {}): Grant | string {
  const required = ["target", "path", "method", "destination"] as const;
  const keys = [deriveRootKey(SECRET)];
  const verdict = verdictOn(mint(...args), keys, { ...ACCESS, ...access }, required);
  return verdict.kind === "granted" ? verdict.grant : verdict.reason;
}

function grantOf(...args: string[]): Grant {
  const verdict = judged(args);
  if (typeof verdict === "string") throw new Error(`Cannot take the grant: ${verdict}`);
  return verdict;
}

Deno.test("a token permits long polls of one destination, at this service, for ever", () => {
  const { destination, maxBytes } = grantOf();
  assertEquals([destination, maxBytes], [DESTINATION, Infinity]);
  assertEquals(judged([], { path: "/export" }), "path_wrong");
  assertEquals(judged([], { method: "GET" }), "method_wrong");
  assertEquals(judged([], { target: "another-service" }), "target_wrong");
  assertEquals(typeof judged([], { now: Date.UTC(9_000, 0, 1) }), "object");
});

const choices: readonly (readonly [args: readonly string[], access: Partial<Access>])[] = [
  [["--path", "/export"], { path: "/export" }],
  [["--path", "/ws/export"], { path: "/ws/export", method: "GET" }],
  [["--target", "another-service"], { target: "another-service" }],
];

for (const [args, access] of choices) {
  Deno.test(`with ${args.join(" ")} it permits that, and only that`, () => {
    assertEquals(typeof judged(args, access), "object");
    assertEquals(typeof judged(args), "string");
  });
}

Deno.test("the target is the service's own name where no other is asked for", () => {
  const token = tokenFor(tokenOptions(["--destination", DESTINATION]), SECRET, {
    name: "box-export",
    now: NOW,
  });
  const access = { ...ACCESS, target: "box-export" };
  assertEquals(verdictOn(token, [deriveRootKey(SECRET)], access, ["target"]).kind, "granted");
});

Deno.test("tokens of one identifier share their exports, others do not", () => {
  assertEquals(grantOf("--identifier", "me").owner, grantOf("--identifier", "me").owner);
  assertEquals(grantOf().owner, grantOf("--identifier", "").owner);
  assertEquals(grantOf("--identifier", "me").owner === grantOf().owner, false);
});

Deno.test("a token that expires holds until then", () => {
  assertEquals(typeof judged(["--expires", "90s"], { now: NOW + 89_999 }), "object");
  assertEquals(judged(["--expires", "90s"], { now: NOW + 90_000 }), "expired");
});

Deno.test("a budget is in the token", () => {
  assertEquals(grantOf("--max-bytes", "10KiB").maxBytes, 10_240);
  assertEquals(grantOf("--max-bytes", "0B").maxBytes, 0);
});

Deno.test("a token of another secret is refused", () => {
  const keys = [deriveRootKey("another secret")];
  assertEquals(verdictOn(mint(), keys, ACCESS, []), {
    kind: "refused",
    reason: "signature_wrong",
  });
});

Deno.test("the owner of a token can be asked for by what the token says", () => {
  const asked = (...args: string[]) => {
    const { owner, identifier, destination } = tokenOptions([
      "--destination",
      DESTINATION,
      ...args,
    ]);
    return owner && ownerOf(identifier, destination);
  };
  assertEquals(asked(), false);
  assertEquals(asked("--owner"), grantOf().owner);
  const named = ["--identifier", "steps"];
  assertEquals(asked("--owner", ...named), grantOf(...named).owner);
});

Deno.test("without a destination there is no token, but how to ask for one", () => {
  for (const args of [[], ["--path", "/export"]]) {
    const usage = "Usage: deno task token --destination URL";
    assertThrows(() => tokenOptions(args), UsageError, usage);
  }
});

for (const args of [["--admin"], ["x"], ["-d", "x"], ["--path"], ["--expires", "--path"]]) {
  Deno.test(`"${args.join(" ")}" is refused, with how to do it rightly`, () => {
    assertThrows(() => mint(...args), UsageError, "Usage: deno task token");
  });
}

const nonsense: readonly (readonly [flag: string, text: string])[] = [
  ["--expires", ""],
  ["--expires", "tomorrow"],
  ["--expires", "3600"],
  ["--expires", "1KiB"],
  ["--max-bytes", ""],
  ["--max-bytes", "1024"],
  ["--max-bytes", "1h"],
];

for (const [flag, text] of nonsense) {
  Deno.test(`${flag} "${text}" is refused, with an example`, () => {
    const error = assertThrows(() => mint(`${flag}=${text}`), UsageError, `${flag} must be like `);
    assertEquals(error.message.endsWith(`: "${text}"`), true);
  });
}

for (
  const args of [
    ["--expires", "3000000d"],
    ["--expires", "999999999999d"],
    ["--max-bytes", "9999999999999999MiB"],
    ["--identifier", "x".repeat(10_000)],
  ]
) {
  Deno.test(`what no token can say is a wrong call too: ${args.join(" ").slice(0, 40)}`, () => {
    assertThrows(() => mint(...args), UsageError);
  });
}

Deno.test("a destination that no service would take is refused, with the reason", () => {
  for (
    const [destination, why] of [
      ["notaurl", "not an absolute URL"],
      ["https://a b/", "space"],
      ["https://u:p@a.example/", "user name"],
    ] as const
  ) {
    assertThrows(() => tokenOptions(["--destination", destination]), UsageError, why);
  }
});
