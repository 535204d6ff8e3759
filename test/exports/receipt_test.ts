import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type {
  Delivering,
  ExportRecord,
  Finished,
  Pending,
  Result,
} from "../../src/exports/record.ts";
import type { FailureCode } from "../../src/exports/failure.ts";
import {
  answerBytesOf,
  finishedReceipt,
  isPast,
  openReceipt,
  type WireState,
  wireState,
} from "../../src/exports/receipt.ts";

const ID = "7b0ea5b6-4ad3-4b6a-9f0e-0a1f6a2f1d11";
const FACTS = {
  id: ID,
  owner: "owner",
  uri: "https://export.amar.io/",
  lane: "lane",
  payload: { bytes: 2, sha256: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" },
  acceptedAt: 1_000,
  giveUpAt: 9_000,
};

function pending(attempts: number): Pending {
  return { ...FACTS, attempts, state: "pending", dueAt: 2_000 };
}

function delivering(attempts: number): Delivering {
  return { ...FACTS, attempts, state: "delivering" };
}

function finished(result: Result, attempts = 1): Finished {
  return { ...FACTS, attempts, state: "finished", finishedAt: 3_000, expiresAt: 4_000, result };
}

function answered(status: number, truncated = false): Finished {
  return finished({ kind: "answered", status, truncated, answerBytes: 0 });
}

/** What the app reads: the very characters. */
function shown(record: Finished, answer: Uint8Array | string): string {
  const bytes = typeof answer === "string" ? new TextEncoder().encode(answer) : answer;
  return JSON.stringify(finishedReceipt(record, bytes));
}

const states: readonly (readonly [what: string, record: ExportRecord, state: WireState])[] = [
  ["accepted", pending(0), "Pending"],
  ["at its first attempt", delivering(1), "Processing"],
  ["waiting for its second attempt", pending(1), "Processing"],
  ["at its third attempt", delivering(3), "Processing"],
  ["answered", answered(200), "Finished"],
  ["failed", finished({ kind: "failed", code: "timed_out" }), "Finished"],
];

for (const [what, record, state] of states) {
  Deno.test(`an export that is ${what} is ${state} on the wire`, () => {
    assertEquals(wireState(record), state);
  });
}

Deno.test("until it is finished, an export's receipt has an empty ext_response", () => {
  assertEquals(
    JSON.stringify(openReceipt(pending(0))),
    `{"id":"${ID}","state":"Pending","ext_response":{}}`,
  );
  for (const record of [delivering(1), pending(1)]) {
    assertEquals(
      JSON.stringify(openReceipt(record)),
      `{"id":"${ID}","state":"Processing","ext_response":{}}`,
    );
  }
});

Deno.test("an answer is shown as status and body, in this order and nothing else", () => {
  assertEquals(
    shown(answered(200), "ok"),
    `{"id":"${ID}","state":"Finished","ext_response":{"status":"200 OK","body":"ok"}}`,
  );
});

const statuses: readonly (readonly [number, string])[] = [
  [204, "204 No Content"],
  [302, "302 Found"],
  [404, "404 Not Found"],
  [418, "418 I'm a teapot (RFC 2324)"],
  [503, "503 Service Unavailable"],
  [299, "299"],
];

for (const [status, text] of statuses) {
  Deno.test(`an answer ${status} is finished and shown as "${text}"`, () => {
    assertEquals(finishedReceipt(answered(status), new Uint8Array()).ext_response, {
      status: text,
      body: "",
    });
  });
}

Deno.test("a body that is not UTF-8 is shown as base64, and says so", () => {
  const ending = (answer: number[]) =>
    shown(answered(200), new Uint8Array(answer)).split('"status":"200 OK",').at(-1);
  assertEquals(ending([0xff, 0xfe, 0xfd]), `"body":"//79","encoding":"base64"}}`);
  assertEquals(ending([0x6f, 0x6b, 0xe2, 0x82]), `"body":"b2vigg==","encoding":"base64"}}`);
});

Deno.test("a body over the cap says that it was cut", () => {
  assertEquals(
    shown(answered(200, true), "o"),
    `{"id":"${ID}","state":"Finished","ext_response":` +
      `{"status":"200 OK","body":"o","truncated":true}}`,
  );
  assertEquals(
    shown(answered(200, true), new Uint8Array([0xff])),
    `{"id":"${ID}","state":"Finished","ext_response":` +
      `{"status":"200 OK","body":"/w==","encoding":"base64","truncated":true}}`,
  );
});

Deno.test("a character cut in two by the cap is left out of the body", () => {
  const cut = new TextEncoder().encode("5 €");
  for (const bytes of [cut.subarray(0, 3), cut.subarray(0, 4)]) {
    assertEquals(finishedReceipt(answered(200, true), bytes).ext_response, {
      status: "200 OK",
      body: "5 ",
      truncated: true,
    });
  }
});

Deno.test("a text is shown as it came, byte-order mark and all, wherever it was cut", () => {
  assertEquals(
    finishedReceipt(answered(200), new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).ext_response,
    {
      status: "200 OK",
      body: "\ufeffa",
    },
  );
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(), (text, at) => {
      const bytes = new TextEncoder().encode(text);
      const whole = finishedReceipt(answered(200), bytes).ext_response;
      assertEquals(whole, { status: "200 OK", body: text });
      const { body, ...rest } = finishedReceipt(
        answered(200, true),
        bytes.subarray(0, at % (bytes.length + 1)),
      ).ext_response;
      assertEquals(rest, { status: "200 OK", truncated: true });
      assert(body !== undefined && text.startsWith(body));
    }),
    { numRuns: 300 },
  );
});

Deno.test("only a receipt of an answer holds bytes of one", () => {
  const answer = finished({ kind: "answered", status: 200, truncated: false, answerBytes: 7 });
  assertEquals(answerBytesOf(answer), 7);
  for (const [what, record] of states) assertEquals(answerBytesOf(record), 0, what);
});

Deno.test("no byte of an answer is lost between text and base64", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const response = finishedReceipt(answered(200), bytes).ext_response;
      const { body = "" } = response;
      const read = response.encoding === "base64"
        ? Uint8Array.fromBase64(body)
        : new TextEncoder().encode(body);
      assertEquals([...read], [...bytes]);
    }),
    { numRuns: 300 },
  );
});

const failures: Record<FailureCode, readonly [status: string, detail: string]> = {
  dns_error: ["502 Bad Gateway", "The destination's name could not be resolved."],
  connection_refused: ["502 Bad Gateway", "The destination refused the connection."],
  connection_lost: [
    "502 Bad Gateway",
    "The destination closed the connection before its answer was complete.",
  ],
  unreachable: ["502 Bad Gateway", "The destination could not be reached."],
  timed_out: ["504 Gateway Timeout", "The destination did not answer in time."],
  tls_error: ["502 Bad Gateway", "No secure connection could be agreed with the destination."],
  certificate_invalid: [
    "502 Bad Gateway",
    "The destination's certificate could not be verified.",
  ],
  invalid_answer: ["502 Bad Gateway", "The destination's answer was not valid HTTP."],
  data_damaged: [
    "502 Bad Gateway",
    "The data is no longer in the service as it was accepted.",
  ],
  interrupted: [
    "502 Bad Gateway",
    "The service ended in the middle of the last attempts; whether the destination got the data " +
    "is not known.",
  ],
  destination_refused: [
    "403 Forbidden",
    "Data may not be sent to this destination.",
  ],
};

for (const [code, [status, detail]] of entriesOf(failures)) {
  Deno.test(`an export that ends by ${code} is shown as ${status}, with the reason in words`, () => {
    assertEquals(
      shown(finished({ kind: "failed", code }, 7), ""),
      `{"id":"${ID}","state":"Finished","ext_response":{"status":"${status}","body":"",` +
        `"error":{"code":"${code}","detail":"${detail}","attempts":7}}}`,
    );
  });
}

Deno.test("a refused destination is shown with the rule that refused it", () => {
  const record = finished({ kind: "failed", code: "destination_refused", rule: "address" });
  assertEquals(finishedReceipt(record, new Uint8Array()).ext_response.error, {
    code: "destination_refused",
    detail: "Data may not be sent to this destination. Rule: address.",
    attempts: 1,
  });
});

Deno.test("a record is past the states before its own, and past no other", () => {
  const order: readonly WireState[] = ["Pending", "Processing", "Finished"];
  for (const [what, record, own] of states) {
    const passed = order.filter((state) => isPast(record, state));
    assertEquals(passed, order.slice(0, order.indexOf(own)), what);
  }
});

function entriesOf<K extends string, V>(table: Record<K, V>): [K, V][] {
  return Object.entries(table) as [K, V][]; // Object.entries forgets the keys' type.
}
