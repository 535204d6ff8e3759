/**
 * What a misbehaving destination comes to: every row of SECURITY.md's table is read there and made
 * to happen. Time is the test's: a row that says "at once" ends while the clock stands still.
 */
import { assertEquals } from "@std/assert";
import { createTrust } from "../../src/egress/trust.ts";
import { type FailureCode, FAILURES } from "../../src/exports/failure.ts";
import type { ExtResponse } from "../../src/exports/receipt.ts";
import { answering, listen } from "../egress/destination.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { createTestEgress } from "../fakes/test_egress.ts";
import { openTestService, type TestService } from "../fakes/test_service.ts";
import { misbehave, NAMES } from "./misbehaving.ts";

const ATTEMPT_TIMEOUT_MS = 30_000;

interface Row {
  readonly name: string;
  readonly status: string;
  readonly code: string;
  readonly again: string;
  readonly after: string;
}

async function readRows(): Promise<Row[]> {
  const readme = await Deno.readTextFile(new URL("../../SECURITY.md", import.meta.url));
  const [, section = ""] = readme.split("### What a misbehaving destination comes to");
  const lines = section.split(/^## /m)[0]?.split("\n").filter((line) => line.startsWith("|")) ?? [];
  return lines.slice(2).map((line) => {
    const [name = "", status = "", code = "", again = "", after = ""] = line.split("|").slice(1)
      .map((cell) => cell.trim());
    return { name, status, code, again, after };
  });
}

async function openWithEgress(clock: FakeClock): Promise<TestService> {
  const extraCa = await Deno.readTextFile(new URL("../fixtures/tls/ca.pem", import.meta.url));
  const egress = createTestEgress({
    clock,
    resolve: (host) => Promise.resolve([host.startsWith("private") ? "192.168.1.1" : "127.0.0.1"]),
    attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
    trust: createTrust(extraCa),
  });
  // The first attempt is the last, so that its end is what the app is shown.
  return await openTestService({ clock, egress, giveUpAfterMs: 0 });
}

/** What the app is shown in the end; a long poll comes back only when there is news. */
async function outcome(service: TestService, id: string, uri: string): Promise<ExtResponse> {
  const token = service.token({ destination: uri });
  for (;;) {
    const body = { id, uri, data: "{}" };
    const response = await service.ask("/lp/export?timeout=60", body, { token });
    const { state, ext_response } = await response.json();
    if (state === "Finished") return ext_response;
  }
}

function described({ status, truncated, error }: ExtResponse): Omit<Row, "name" | "after"> {
  const code = error?.code;
  const final = code === undefined || FAILURES[code as FailureCode].final; // The wire's are these.
  return {
    status: truncated ? `\`${status}\`, \`truncated\`` : `\`${status}\``,
    code: code === undefined ? "–" : `\`${code}\``,
    again: final ? "no" : "yes",
  };
}

async function assertRow({ name, after, ...expected }: Row): Promise<void> {
  const clock = new FakeClock();
  await using bad = await misbehave(name);
  await using good = listen(answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  const goodUri = `http://dest.localhost:${good.port}/`;
  await using service = await openWithEgress(clock);
  const { id } = await service.submit("{}", { uri: bad.uri });
  const shown = outcome(service, id, bad.uri);
  const other = await service.submit("{}", { uri: goodUri });
  assertEquals((await outcome(service, other.id, goodUri)).status, "200 OK", "the other lane");
  const ms = after === "at once" ? 0 : 1_000 * Number(/^(\d+) s$/.exec(after)?.[1]);
  if (ms > 0) {
    await bad.reached;
    clock.advance(ms - 1);
    assertEquals((await service.poll(id, { uri: bad.uri })).state, "Processing", "until then");
    clock.advance(1);
    // What came in time may still be read.
    clock.advance(100);
  }
  assertEquals(described(await shown), expected);
}

Deno.test("SECURITY.md's table of misbehaving destinations is the one that is tested", async () => {
  assertEquals((await readRows()).map(({ name }) => name).toSorted(), NAMES.toSorted());
});

for (const name of NAMES) {
  Deno.test(`a destination that ${name} comes to what SECURITY.md says`, async () => {
    for (const row of await readRows()) {
      if (row.name === name) await assertRow(row);
    }
  });
}
