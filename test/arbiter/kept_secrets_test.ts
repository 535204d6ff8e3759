/** Which secrets count, in tables, and over whole lives of restarts. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type KeepPolicy,
  type KeptSecret,
  usable,
  withPresent,
} from "../../src/arbiter/kept_secrets.ts";

const POLICY: KeepPolicy = { graceMs: 100, formerMax: 3 };

interface Keeping {
  readonly kept: readonly KeptSecret[];
  readonly secret: string;
  readonly now: number;
  readonly becomes: readonly KeptSecret[];
}

const present = (secret: string): KeptSecret => ({ secret });
const former = (secret: string, formerSince: number): KeptSecret => ({ secret, formerSince });

const keepings: Readonly<Record<string, Keeping>> = {
  "the first secret is alone": { kept: [], secret: "a", now: 5, becomes: [present("a")] },
  "the one before becomes a former one now": {
    kept: [present("a")],
    secret: "b",
    now: 5,
    becomes: [present("b"), former("a", 5)],
  },
  "the same secret again stays the present one": {
    kept: [present("a"), former("b", 1)],
    secret: "a",
    now: 5,
    becomes: [present("a"), former("b", 1)],
  },
  "a former secret can become the present one again, and is there once": {
    kept: [present("a"), former("b", 1)],
    secret: "b",
    now: 5,
    becomes: [present("b"), former("a", 5)],
  },
  "a former secret counts from when it became one, not from the next restart": {
    kept: [present("b"), former("a", 5)],
    secret: "c",
    now: 104,
    becomes: [present("c"), former("b", 104), former("a", 5)],
  },
  "once its grace is over it is forgotten": {
    kept: [present("b"), former("a", 5)],
    secret: "c",
    now: 105,
    becomes: [present("c"), former("b", 105)],
  },
  "one that was present for longer than the grace is good for all of it": {
    kept: [present("a")],
    secret: "b",
    now: 1_000,
    becomes: [present("b"), former("a", 1_000)],
  },
  "of too many, the one that was present for the shortest time is forgotten": {
    kept: [present("e"), former("d", 40), former("c", 21), former("b", 20)],
    secret: "f",
    now: 50,
    becomes: [present("f"), former("e", 50), former("d", 40), former("b", 20)],
  },
  "of those that were present equally long, the oldest is forgotten": {
    kept: [present("d"), former("c", 30), former("b", 20), former("a", 10)],
    secret: "e",
    now: 40,
    becomes: [present("e"), former("d", 40), former("c", 30), former("a", 10)],
  },
  "a clock that was put back loses none": {
    kept: [present("b"), former("a", 500)],
    secret: "c",
    now: 5,
    becomes: [present("c"), former("a", 500), former("b", 5)],
  },
};

for (const [what, { kept, secret, now, becomes }] of Object.entries(keepings)) {
  Deno.test(`when a secret comes: ${what}`, () => {
    assertEquals(withPresent(kept, secret, now, POLICY), becomes);
  });
}

const uses: readonly (readonly [what: string, now: number, good: readonly string[]])[] = [
  ["both former ones are good", 50, ["c", "b", "a"]],
  ["to the end of its grace a former one is good", 104, ["c", "b", "a"]],
  ["at the end of its grace it is not", 105, ["c", "b"]],
  ["the present one is good for ever", 1_000_000, ["c"]],
];

for (const [what, now, good] of uses) {
  Deno.test(`as time goes by: ${what}`, () => {
    // In whatever order they were kept.
    const kept = [former("a", 5), present("c"), former("b", 20)];
    assertEquals(usable(kept, now, POLICY).map(({ secret }) => secret), good);
  });
}

Deno.test("a policy of no former secrets keeps the present one", () => {
  const policy = { graceMs: 100, formerMax: 0 };
  assertEquals(withPresent([present("a")], "b", 5, policy), [present("b")]);
});

/** Starts of the service: how long after the one before, and what the arbiter answered. */
const starts = fc.array(
  fc.record({ afterMs: fc.nat(60), secret: fc.constantFrom(..."abcdefgh") }),
  { maxLength: 30 },
);

Deno.test("however often it restarts: one present, no secret twice, none too old, never too many", () => {
  fc.assert(fc.property(starts, (starts) => {
    let now = 0;
    let kept: readonly KeptSecret[] = [];
    for (const { afterMs, secret } of starts) {
      now += afterMs;
      kept = withPresent(kept, secret, now, POLICY);
      const [first, ...others] = kept;
      assertEquals(first, { secret });
      assertEquals(new Set(kept.map((one) => one.secret)).size, kept.length);
      assert(others.length <= POLICY.formerMax);
      const ages = others.map(({ formerSince }) => now - (formerSince ?? Infinity));
      assert(ages.every((age) => age >= 0 && age < POLICY.graceMs));
      assertEquals(ages, ages.toSorted((one, other) => one - other));
      assertEquals(usable(kept, now, POLICY), kept);
    }
  }));
});

Deno.test("within the bounds nothing is lost: each secret is good until its grace is over", () => {
  const policy = { ...POLICY, formerMax: 30 };
  fc.assert(fc.property(starts, fc.nat(200), (starts, later) => {
    let now = 0;
    let kept: readonly KeptSecret[] = [];
    const lastPresent = new Map<string, number>();
    let before: string | undefined;
    for (const { afterMs, secret } of starts) {
      now += afterMs;
      if (before !== undefined) lastPresent.set(before, now);
      kept = withPresent(kept, secret, now, policy);
      before = secret;
    }
    const end = now + later;
    const good = new Set(usable(kept, end, policy).map(({ secret }) => secret));
    for (const [secret, until] of lastPresent) {
      assertEquals(good.has(secret), secret === before || end - until < policy.graceMs);
    }
  }));
});

Deno.test("a service that starts over and over keeps the secret of before, to the end of its grace", () => {
  const policy = { graceMs: 10_000, formerMax: 3 };
  let kept = withPresent([], "of before", 0, policy);
  let now = 5_000;
  for (let start = 0; start < 99; start++, now += 100) {
    kept = withPresent(kept, `start ${start}`, now, policy);
    assert(usable(kept, now, policy).some(({ secret }) => secret === "of before"));
  }
  assertEquals(usable(kept, 15_000, policy).some(({ secret }) => secret === "of before"), false);
});
