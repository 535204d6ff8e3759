/** The arbiter is asked in the protocol that it speaks, for as long as one attempt may take. */
import { assertEquals } from "@std/assert";
import nacl from "tweetnacl";
import { type ArbiterAccess, createAskArbiter } from "../../src/arbiter/ask_arbiter.ts";
import { encodeZ85 } from "../zmtp/encode_z85.ts";
import { FakeClock } from "../fakes/fake_clock.ts";

/** As README has it. */
const ATTEMPT_MS = 10_000;

const ACCESSES: readonly ArbiterAccess[] = [
  {
    kind: "zest",
    endpoint: new URL("tcp://arbiter:4444"),
    serverKey: encodeZ85(nacl.box.keyPair().publicKey),
    token: Uint8Array.of(1),
    name: "export-service",
  },
  {
    kind: "https",
    endpoint: new URL("https://arbiter:8080"),
    key: Uint8Array.of(1),
    ca: undefined,
  },
];

/** Asks an arbiter that says nothing, and notes by which protocol. */
function asking(access: ArbiterAccess) {
  const clock = new FakeClock();
  const stopping = new AbortController();
  const asked: (readonly [kind: ArbiterAccess["kind"], signal: AbortSignal])[] = [];
  const ask = createAskArbiter(access, {
    connect({ signal }) {
      asked.push(["zest", signal]);
      return new Promise(() => {});
    },
    fetch(_url, { signal }) {
      asked.push(["https", signal]);
      return new Promise(() => {});
    },
    randomBytes: nacl.randomBytes,
    clock,
  });
  const codeOf = async () => {
    const fetched = await ask(stopping.signal);
    return fetched.kind === "failed" ? fetched.code : fetched.kind;
  };
  return { clock, stopping, asked, code: codeOf() };
}

for (const access of ACCESSES) {
  Deno.test(`an arbiter for ${access.kind} is asked by that, and left after 10 s`, async () => {
    const { clock, asked, code } = asking(access);
    clock.advance(ATTEMPT_MS - 1);
    assertEquals([clock.pending, asked.map(([kind]) => kind)], [1, [access.kind]]);
    clock.advance(1);
    assertEquals(await code, "timed_out");
    assertEquals([clock.pending, asked.map(([, { aborted }]) => aborted)], [0, [true]]);
  });

  Deno.test(`a stop ends a question by ${access.kind} at once`, async () => {
    const { clock, stopping, asked, code } = asking(access);
    stopping.abort();
    assertEquals(await code, "stopped");
    assertEquals([clock.pending, asked.map(([, { aborted }]) => aborted)], [0, [true]]);
  });
}
