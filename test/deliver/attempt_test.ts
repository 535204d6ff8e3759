import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { attemptExport, type OutboundRequest, type SendResult } from "../../src/deliver/attempt.ts";
import type { Delivering } from "../../src/exports/record.ts";
import { SEND_FAILURES } from "../fakes/failures.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

const RECORD: Delivering = {
  id: "7b0ea5b6-4ad3-4b6a-9f0e-0a1f6a2f1d11",
  owner: "owner",
  uri: "https://export.amar.io/hook?key=1",
  lane: "lane",
  payload: { bytes: 4, sha256: "" },
  acceptedAt: 0,
  giveUpAt: 1,
  attempts: 3,
  state: "delivering",
};
const PAYLOAD = new Uint8Array([0x5b, 0xc3, 0xa9, 0x5d]);
const BODY = new Uint8Array([0xff, 0x00, 0xfe]);

/** An attempt that brings `result` after `ms`. */
async function attempt(result: SendResult, ms = 0) {
  const clock = new FakeClock();
  const sent: OutboundRequest[] = [];
  const { signal } = new AbortController();
  const send = (request: OutboundRequest) => {
    sent.push(request);
    clock.advance(ms);
    return Promise.resolve(result);
  };
  const parts = { send, clock, userAgent: "databox-export-service/0", signal };
  return { attempted: await attemptExport(RECORD, PAYLOAD, parts), sent, signal };
}

Deno.test("an attempt is one request, with the export's id for receivers that deduplicate", async () => {
  const { sent, signal } = await attempt({ kind: "failed", code: "timed_out" });
  assertEquals(sent.length, 1);
  const [request] = sent;
  assertEquals([request?.uri, request?.lane], [RECORD.uri, RECORD.lane]);
  assertEquals(request?.headers, {
    "content-type": "application/json",
    "idempotency-key": RECORD.id,
    "webhook-id": RECORD.id,
    "user-agent": "databox-export-service/0",
  });
  assertStrictEquals(request?.body, PAYLOAD);
  assertEquals([...PAYLOAD], [0x5b, 0xc3, 0xa9, 0x5d]);
  assertStrictEquals(request?.signal, signal);
});

for (const truncated of [false, true]) {
  Deno.test(`an answer is kept as its bytes, ${truncated ? "cut" : "whole"}; the outcome holds its size`, async () => {
    const { attempted } = await attempt({
      kind: "answered",
      status: 302,
      body: BODY,
      truncated,
      address: "93.184.215.14",
    }, 120);
    assertEquals(attempted, {
      kind: "ended",
      outcome: {
        kind: "answered",
        status: 302,
        truncated,
        answerBytes: 3,
        address: "93.184.215.14",
        ms: 120,
      },
      answer: BODY,
    });
  });
}

for (const code of SEND_FAILURES) {
  Deno.test(`a request that fails by ${code} is an outcome of that code, without an answer`, async () => {
    const { attempted } = await attempt({ kind: "failed", code }, 5_000);
    assertEquals(attempted, {
      kind: "ended",
      outcome: { kind: "failed", code, ms: 5_000 },
      answer: new Uint8Array(),
    });
  });
}

Deno.test("a failure keeps the address and the rule that it came with", async () => {
  const { attempted } = await attempt({
    kind: "failed",
    code: "destination_refused",
    address: "10.0.0.1",
    rule: "address",
  }, 1);
  assertEquals(attempted, {
    kind: "ended",
    outcome: {
      kind: "failed",
      code: "destination_refused",
      address: "10.0.0.1",
      rule: "address",
      ms: 1,
    },
    answer: new Uint8Array(),
  });
});

Deno.test("an attempt over which the clock was put back has taken no time, not less", async () => {
  const clock = new FakeClock();
  const send = () => {
    clock.jump(-3_600_000);
    return Promise.resolve<SendResult>({ kind: "failed", code: "timed_out" });
  };
  const parts = { send, clock, userAgent: "", signal: new AbortController().signal };
  const attempted = await attemptExport(RECORD, PAYLOAD, parts);
  assertEquals(attempted.kind === "ended" && attempted.outcome.ms, 0);
});

Deno.test("a stopped attempt has no outcome: nobody knows whether it arrived", async () => {
  const stopped: SendResult = { kind: "failed", code: "stopped", address: "93.184.215.14" };
  assertEquals((await attempt(stopped)).attempted, { kind: "stopped" });
});

Deno.test("a sender that breaks its word is not taken for a destination that failed", async () => {
  const parts = {
    send: () => Promise.reject(new TypeError("a bug")),
    clock: new FakeClock(),
    userAgent: "",
    signal: new AbortController().signal,
  };
  await assertRejects(() => attemptExport(RECORD, PAYLOAD, parts), TypeError, "a bug");
});
