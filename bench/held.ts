// deno-lint-ignore-file no-console -- figures are printed
/**
 * How long the runtime alone takes to answer 1,000 and 5,000 held requests, without framework,
 * store or token: the lower bound for any service on it. Prints ms from the release to each answer.
 */
import { connect, type Connection } from "./connection.ts";
import { startServer } from "./script.ts";
import { median, quantilesOf } from "./statistics.ts";
import { stoppable } from "./stoppable.ts";

const ROUNDS = 5;

/** The 50th and 99th percentile of `count` answers, ms. */
async function release(count: number) {
  const { child, port } = await startServer("held_server.ts");
  await using stack = new AsyncDisposableStack();
  stack.defer(() => child.end());
  const url = new URL(`http://127.0.0.1:${port}/lp/export`);
  const connections: Connection[] = [];
  for (let n = 0; n < count; n++) connections.push(await connect(url, {}, []));
  stack.defer(() => connections.forEach((connection) => connection.close()));
  const answers = connections.map(async (connection) => {
    await connection.post("{}");
    return performance.timeOrigin + performance.now();
  });
  // Until all of them are held.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const releasedAt = Number(await (await fetch(new URL("/go", url))).text());
  return quantilesOf((await Promise.all(answers)).map((at) => at - releasedAt));
}

await stoppable(async () => {
  for (const count of [1_000, 5_000]) {
    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) rounds.push(await release(count));
    const [p50, p99] = [rounds.map((each) => each.p50), rounds.map((each) => each.p99)].map(median);
    console.log(`${count} held: p50 ${p50?.toFixed(1)} ms, p99 ${p99?.toFixed(1)} ms`);
  }
  return true;
});
