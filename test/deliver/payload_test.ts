/** Exports that are not in the store any more as they were accepted: nothing of them leaves. */
import { assertEquals } from "@std/assert";
import { departuresIn } from "../../src/exports/departures.ts";
import type { LedgerEntry } from "../../src/exports/ledger_entry.ts";
import { answered, openTestService, type TestService } from "../fakes/test_service.ts";

/** Turns the last `from` of each row that ends in the payload into `to`. */
async function alter({ kv }: TestService, from: string, to: string): Promise<void> {
  for (const prefix of [["export"], ["payload"]]) {
    for await (const { key, value } of kv.list<Uint8Array>({ prefix })) {
      const at = value.lastIndexOf(from.charCodeAt(0));
      if (at >= value.length - 4) await kv.set(key, value.with(at, to.charCodeAt(0)));
    }
  }
}

/** Has the record of the only export say something else; bytes as text, one character each. */
async function alterRecord({ kv }: TestService, from: string, to: string): Promise<void> {
  for await (const { key, value } of kv.list<Uint8Array>({ prefix: ["export"] })) {
    const text = Array.from(value, (byte) => String.fromCharCode(byte)).join("");
    const altered = text.replaceAll(from, to);
    if (altered === text) continue;
    await kv.set(key, Uint8Array.from(altered, (character) => character.charCodeAt(0)));
  }
}

const DAMAGED = "https://damaged.example/";

/** A service with one export, altered in the store since its first attempt failed. */
async function withAltered(
  bytes: number,
  damage = (service: TestService) => alter(service, "A", "B"),
) {
  let isUp = false;
  const service = await openTestService({
    destination: ({ body }) =>
      isUp ? answered(`${body.length}`) : { kind: "failed", code: "connection_refused" },
  });
  const { id } = await service.submit(`["${"A".repeat(bytes)}"]`, { uri: DAMAGED });
  await service.worker.idle();
  await damage(service);
  isUp = true;
  const token = service.token({ path: "/export", destination: DAMAGED });
  const poll = () => service.poll(id, { uri: DAMAGED, token });
  const pass = async (hours: number) => {
    for (let n = 0; n < hours; n++) {
      service.clock.advance(3_600_000);
      await service.worker.idle();
    }
  };
  return { service, id, poll, pass };
}

for (const bytes of [10, 3_000, 300_000]) {
  Deno.test(`a payload of ${bytes} bytes that was altered in the store does not leave, and the log says so`, async () => {
    const { service, id, poll, pass } = await withAltered(bytes);
    await using _ = service;
    await pass(2);
    assertEquals(service.sent.length, 1);
    const lines = service.log.filter(({ event }) => event === "store.failed");
    assertEquals(lines.length, 2);
    assertEquals(new Set(lines.map(({ id, error }) => `${id} ${error}`)).size, 1);
    assertEquals(lines[0]?.id, id);
    await alter(service, "B", "A");
    await pass(1);
    assertEquals((await poll()).ext_response, { status: "200 OK", body: `${bytes + 4}` });
  });
}

const ALTERED = [
  ["destination", "damaged.example", "damaged.exalple"],
  ["size", '"bytes":14', '"bytes":13'],
] as const;

for (const [what, from, to] of ALTERED) {
  Deno.test(`an export whose ${what} was altered in the store goes nowhere, until it is restored`, async () => {
    const { service, poll, pass } = await withAltered(10, (store) => alterRecord(store, from, to));
    await using _ = service;
    await pass(2);
    assertEquals(service.sent.length, 1);
    assertEquals(service.log.filter(({ event }) => event === "store.failed").length, 2);
    const codes = service.log.filter(({ event }) => event === "delivery.attempted")
      .map(({ code }) => code);
    assertEquals(codes, ["connection_refused", "data_damaged", "data_damaged"]);
    await alterRecord(service, to, from);
    await pass(1);
    assertEquals((await poll()).ext_response, { status: "200 OK", body: "14" });
  });
}

Deno.test("an export whose payload stays damaged ends at its give-up age, and makes way for the one behind", async () => {
  const { service, id, poll, pass } = await withAltered(10);
  await using _ = service;
  const behind = await service.submit("[2]", { uri: DAMAGED });
  await pass(23);
  assertEquals((await poll()).state, "Processing");
  assertEquals(service.sent.length, 1);
  await pass(2);
  const { state, ext_response: { status, error } } = await poll();
  assertEquals([state, status, error?.code], ["Finished", "502 Bad Gateway", "data_damaged"]);
  const left = await Array.fromAsync(departuresIn((await service.entries()) as LedgerEntry[]));
  assertEquals(left.map(({ id }) => id), [behind.id]);
  const attempts = (await service.entries()).filter((entry) =>
    entry.id === id && entry.kind === "attempt.ended"
  );
  assertEquals(attempts.at(-1)?.next, "finished");
  assertEquals(attempts.length, error?.attempts);
});
