// deno-lint-ignore-file no-console -- figures are printed
/**
 * Whether timing distinguishes another owner's id from an unknown one: polls both, in random order,
 * through the app and an in-memory store. Prints the median of each and their difference, and the
 * same for two unknown ids, which differ only by chance.
 */
import { DESTINATION, openTestService } from "../test/fakes/test_service.ts";

const POLLS = 20_000;

await using service = await openTestService();
const token = service.token({ path: "/export", identifier: "other" });
const { id: foreign } = await service.submit();
await service.worker.idle();
const unknowns = [crypto.randomUUID(), crypto.randomUUID()];

async function pollMicroseconds(id: string): Promise<number> {
  const body = JSON.stringify({ id, uri: DESTINATION, data: "{}" });
  const headers = { "x-api-key": token };
  const begun = performance.now();
  const response = await service.app.request("/export", { method: "POST", headers, body });
  await response.text();
  return (performance.now() - begun) * 1_000;
}

async function compare(what: string, ids: readonly [string, string]): Promise<void> {
  const times: [number[], number[]] = [[], []];
  for (let n = 0; n < 2 * POLLS; n++) {
    const which = Math.random() < 0.5 ? 0 : 1;
    times[which].push(await pollMicroseconds(ids[which]));
  }
  const [first, second] = times.map((all) => all.toSorted((a, b) => a - b)[all.length >> 1] ?? NaN);
  const difference = ((second ?? NaN) - (first ?? NaN)).toFixed(1);
  console.log(
    `${what}: ${first?.toFixed(1)} and ${second?.toFixed(1)} µs, difference ${difference}`,
  );
}

const [one = "", two = ""] = unknowns;
await compare("warming up", [one, two]);
await compare("unknown and unknown", [one, two]);
await compare("unknown and another owner's", [one, foreign]);
