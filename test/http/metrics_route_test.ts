/** Who is shown the metrics, and what everybody else is told. */
import { assertEquals } from "@std/assert";
import { openTestService } from "../fakes/test_service.ts";

const TOKEN = "the-operator-s-own";
const METRICS = "databox_export_open_exports 7\n";
const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const metrics = {
  token: TOKEN,
  metrics: { contentType: TEXT, text: () => Promise.resolve(METRICS) },
};

Deno.test("whoever brings the operator's token is shown the metrics", async () => {
  await using service = await openTestService({ metrics });
  for (const scheme of ["Bearer", "bearer"]) {
    const headers = { authorization: `${scheme} ${TOKEN}` };
    const response = await service.app.request("/metrics", { headers });
    assertEquals([response.status, await response.text()], [200, METRICS]);
    assertEquals(response.headers.get("content-type"), TEXT);
  }
});

const OTHERS: readonly (readonly [string, HeadersInit])[] = [
  ["nothing", {}],
  ["another token", { authorization: `Bearer ${TOKEN}r` }],
  ["the token without its scheme", { authorization: TOKEN }],
  ["the token as a user's name", { authorization: `Basic ${btoa(`${TOKEN}:`)}` }],
  ["the token in another header", { "x-api-key": TOKEN }],
];

for (const [what, headers] of OTHERS) {
  Deno.test(`whoever brings ${what} is told what it takes, and is in no ledger`, async () => {
    await using service = await openTestService({ metrics });
    const response = await service.app.request("/metrics", { headers });
    const { type } = await response.json();
    assertEquals([response.status, type], [
      401,
      "urn:databox:export-service:problem:metrics_token_wrong",
    ]);
    assertEquals(response.headers.get("www-authenticate"), "Bearer");
    assertEquals([service.log, await service.entries()], [[], []]);
  });
}

Deno.test("an app's macaroon opens no metrics", async () => {
  await using service = await openTestService({ metrics });
  const token = service.token({ path: "/metrics", method: "GET" });
  const response = await service.app.request("/metrics", { headers: { "x-api-key": token } });
  assertEquals(response.status, 401);
  await response.body?.cancel();
});

Deno.test("where no token is set there are no metrics, whatever is brought", async () => {
  await using service = await openTestService();
  for (const given of ["", "undefined", TOKEN]) {
    const headers = { authorization: `Bearer ${given}` };
    const response = await service.app.request("/metrics", { headers });
    const { status, detail } = await response.json();
    assertEquals([status, detail], [404, "EXPORT_METRICS_TOKEN is not set."]);
  }
  await service.ledger.close();
  assertEquals(await service.entries(), [], "a scraper in vain fills no ledger");
});

Deno.test("a head that is too large is refused here too", async () => {
  await using service = await openTestService({ metrics });
  const headers = { authorization: `Bearer ${TOKEN}`, "x-more": "x".repeat(32_768) };
  const response = await service.app.request("/metrics", { headers });
  assertEquals(response.status, 431);
  await response.body?.cancel();
});
