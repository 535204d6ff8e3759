/** The promise, under kill -9: what was accepted is carried out, in order, whatever the moment. */
import { chosenCount, chosenSeed } from "./fakes/dice.ts";
import { killTest } from "./kill/kill.ts";

Deno.test("a service killed again and again under load loses nothing and sends nothing twice without need", async () => {
  // However slow the machine: not after the minute in which KV's queue would redeliver.
  const resumeMaxMs = 30_000;
  await killTest({ rounds: chosenCount("EXPORT_TEST_KILLS", 5), seed: chosenSeed(), resumeMaxMs });
});
