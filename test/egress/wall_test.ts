/**
 * The second wall: addresses that the runtime refuses by itself, whatever the guard says, in the
 * task that starts the service. What runs here is a process with that task's permissions.
 */
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import denoJson from "../../deno.json" with { type: "json" };
import { isInside, isSingle, parseCidr } from "../../src/egress/cidr.ts";
import { RANGES } from "../../src/egress/ranges.ts";
import { defined } from "../fakes/expect.ts";

const [, WALL = ""] = /--deny-net='([^']+)'/.exec(denoJson.tasks.start) ?? [];
const walled = WALL.split(",").map((text) => defined(parseCidr(text.replace(/^\[|\]$/g, ""))));

Deno.test("what no setting opens is behind the wall, as far as the runtime can be told", () => {
  const open = RANGES.filter((range) =>
    range.kind === "core" && !walled.some((cidr) => isInside(range, cidr))
  );
  // 0.0.0.0 is what the service itself listens on. IPv6 ranges cannot be written.
  assertEquals(open.filter(({ from }) => from.kind() === "ipv4").map(({ text }) => text), [
    "0.0.0.0/8",
  ]);
  assertEquals(open.filter(isSingle), []);
});

Deno.test("the wall is in no setting's way", () => {
  const openable = RANGES.filter(({ kind }) => !["core", "public", "special"].includes(kind));
  for (const { text, ...range } of openable) {
    const across = walled.filter((cidr) => !isSingle(cidr) && isInside({ text, ...range }, cidr));
    assertEquals(across, [], text);
  }
});

Deno.test("what hits the wall is a refused destination, not the end of the process", async () => {
  const permissions = denoJson.tasks.start.replaceAll("'", "").split(" ")
    .filter((word) => /^--(allow|deny)-net/.test(word));
  const script = fileURLToPath(new URL("against_the_wall.ts", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, script],
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const told = new TextDecoder().decode(stdout);
  assertEquals(code, 0, told + new TextDecoder().decode(stderr));
  const outcomes: Record<string, string> = JSON.parse(told);
  const { listens, ...attempts } = outcomes;
  assertEquals(listens, "true");
  assertEquals(Object.keys(attempts).length, 44);
  for (const [attempt, outcome] of Object.entries(attempts)) {
    assertEquals(outcome, "destination_refused", attempt);
  }
});
