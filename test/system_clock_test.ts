/** The machine's clock: what waits long shares timers, and nobody notices. */
import { assert, assertEquals } from "@std/assert";
import { systemClock } from "../src/clock.ts";

Deno.test("long waits end in their order, each once, and those given up not at all", async () => {
  const begun = performance.now();
  const ended: string[] = [];
  const note = () => ended.push("twice");
  const { promise, resolve } = Promise.withResolvers<void>();
  // Each later by more than the machine may take from one line to the next.
  systemClock.after(2_000, () => ended.push("later"));
  systemClock.after(2_200, resolve);
  systemClock.after(1_000, note);
  systemClock.after(1_000, note);
  const giveUp = systemClock.after(1_000, () => ended.push("given up"));
  systemClock.after(0, giveUp);
  await promise;
  assertEquals(ended, ["twice", "twice", "later"]);
  assert(performance.now() - begun >= 2_200, "none ends early");
});

Deno.test("a wait that is given up leaves no timer, alone or as the last of several", () => {
  for (const ms of [1, 5_000, 5_000, 60_000]) systemClock.after(ms, () => {})();
  const both = [systemClock.after(5_000, () => {}), systemClock.after(5_000, () => {})];
  for (const giveUp of [...both, ...both]) giveUp();
});

Deno.test("a wait that begins when all others of its end were given up ends all the same", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  systemClock.after(1_000, () => {})();
  systemClock.after(1_000, resolve);
  await promise;
});

Deno.test("what gives up others of its own end keeps them from happening", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancels: (() => void)[] = [];
  let count = 0;
  const first = () => {
    count++;
    for (const cancel of cancels) cancel();
  };
  for (let n = 0; n < 3; n++) cancels.push(systemClock.after(1_000, first));
  systemClock.after(1_300, resolve);
  await promise;
  assertEquals(count, 1);
});
