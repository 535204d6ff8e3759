import { assert, assertEquals, assertMatch } from "@std/assert";
import { problem, type ProblemCode, problemText } from "../../src/http/problem.ts";

const told: Record<ProblemCode, readonly [status: number, title: string]> = {
  malformed_request: [400, "The request is malformed"],
  unauthorised: [401, "The token does not permit this request"],
  destination_refused: [403, "Nothing may be sent to this destination"],
  no_such_route: [404, "There is nothing here"],
  unknown_export: [404, "There is no such export"],
  too_slow: [408, "The request came too slowly"],
  idempotency_conflict: [409, "The Idempotency-Key was used for an earlier export"],
  too_large: [413, "The request is too large"],
  url_too_long: [414, "The URL is too long"],
  metrics_token_wrong: [401, "The token does not permit this request"],
  upgrade_required: [426, "Only WebSockets are served here"],
  too_many_requests: [429, "Too many requests"],
  storage_quota_exceeded: [429, "The owner's storage quota is used up"],
  too_much_open: [429, "Too much is waiting to be delivered"],
  headers_too_large: [431, "The headers are too large"],
  internal: [500, "The service failed"],
  root_key_unavailable: [503, "Tokens cannot be checked yet"],
  store_unavailable: [503, "The store is unavailable"],
  too_many_polls: [503, "Too many polls are waiting"],
  too_many_bodies: [503, "Too much is being received"],
  too_many_answers: [503, "Too much is being sent"],
  too_many_sockets: [503, "Too many WebSockets are open"],
  not_ready: [503, "The service is not ready"],
};

/** What is to be done about these depends on what came. */
const DETAILED_BY_WHO_SAYS_IT: readonly ProblemCode[] = [
  "malformed_request",
  "destination_refused",
  "unknown_export",
  "too_slow",
  "idempotency_conflict",
  "too_large",
  "too_many_requests",
  "too_much_open",
  "storage_quota_exceeded",
  "not_ready",
];

const codes = Object.keys(told) as ProblemCode[]; // Object.keys forgets the keys' type.

for (const code of codes) {
  const [status, title] = told[code];

  Deno.test(`the problem ${code} is told as ${status}, in the members of RFC 9457`, async () => {
    const response = problem(code);
    assertEquals(response.status, status);
    const text = await response.text();
    const start = `{"type":"urn:databox:export-service:problem:${code}","title":"${title}"`;
    assert(text.startsWith(`${start},"status":${status}`), text);
    const { detail } = JSON.parse(text);
    if (DETAILED_BY_WHO_SAYS_IT.includes(code)) assertEquals(detail, undefined);
    else assertMatch(detail, /^[A-Z].*\.$/);
  });

  Deno.test(`the problem ${code} says in its headers what it is, and what to do`, async () => {
    const response = problem(code);
    await response.body?.cancel();
    assertEquals(Object.fromEntries(response.headers), {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      ...(code === "unauthorised" && { "www-authenticate": "Macaroon" }),
      ...(code === "metrics_token_wrong" && { "www-authenticate": "Bearer" }),
      ...((status === 408 || status === 413) && { connection: "close" }),
      ...(status === 426 && {
        upgrade: "websocket",
        connection: "upgrade",
        "sec-websocket-version": "13",
      }),
      ...(status === 503 && { "retry-after": "5" }),
    });
  });
}

Deno.test("a detail is told as it is, after the other members", async () => {
  const detail = `\`data\` must be "{}"\n`;
  const text = await problem("malformed_request", detail).text();
  assertEquals(Object.keys(JSON.parse(text)), ["type", "title", "status", "detail"]);
  assertEquals(JSON.parse(text).detail, detail);
});

Deno.test("every problem has a type of its own", () => {
  const types = codes.map(async (code) => (await problem(code).json()).type);
  return Promise.all(types).then((all) => assertEquals(new Set(all).size, codes.length));
});

Deno.test("a problem on a socket has the same text, and may name the export it is about", async () => {
  const detail = "No export has this id.";
  const body = await problem("unknown_export", detail).text();
  assertEquals(problemText("unknown_export", { detail }), body);
  const told = JSON.parse(problemText("unknown_export", { detail, instance: "the-id" }));
  assertEquals(told, { ...JSON.parse(body), instance: "the-id" });
});
