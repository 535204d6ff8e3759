/**
 * Requests that leave one after the other by way of the egress room, with connections kept,
 * and a destination that notes on which connection it heard each.
 */
import { assertEquals } from "@std/assert";
import type { Resolve } from "../../src/egress/guard.ts";
import type { RequestResult, Sent } from "../../src/egress/request.ts";
import { createTrust } from "../../src/egress/trust.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { createTestEgress, NEVER } from "../fakes/test_egress.ts";
import { type Act, hear, serve } from "./destination.ts";

export const KEEP = { idleMs: 4_000, ageMs: 60_000, max: 2 };
export const ATTEMPT_MS = 30_000;
/** How long what came before the deadline may take to be read. */
export const READ_MS = 100;
export const ANSWER_BYTES_MAX = 100;

/** Says what comes of a request, the `nth` of its connection; hangs up if that is `"hang up"`. */
export type Turn = (conn: Deno.Conn, at: { conn: number; nth: number }) => Promise<unknown>;

export const HANG_UP = "hang up";

/** An answer with one letter in its body. */
export function ok(letter: string): string {
  return `HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n${letter}`;
}

export interface Further {
  readonly lane?: string;
  readonly signal?: AbortSignal;
}

export interface StageParts {
  /** As the requests name the destination. */
  readonly host?: string;
  readonly resolve?: Resolve;
  /** Certificate and key of a destination that speaks TLS, PEM. */
  readonly identity?: { readonly cert: string; readonly key: string };
  readonly extraCa?: string;
}

/** A destination, and the service's way out to it on a clock that stands still. */
export function stage(turn: Turn, parts: StageParts = {}) {
  const { host = "dest.localhost", resolve, identity, extraCa } = parts;
  /** Each request as the number of its connection and its body. */
  const heard: string[] = [];
  let count = 0;
  const act: Act = async (conn) => {
    const own = ++count;
    for (let nth = 1;; nth++) {
      const text = await hear(conn);
      if (text === "") return;
      heard.push(`${own}${text.split("\r\n\r\n")[1]}`);
      if (await turn(conn, { conn: own, nth }) === HANG_UP) return;
    }
  };
  const where = { hostname: "127.0.0.1", port: 0 };
  const listener = identity ? Deno.listenTls({ ...where, ...identity }) : Deno.listen(where);
  const destination = serve(act, listener);
  const clock = new FakeClock();
  const egress = createTestEgress({
    clock,
    ...(resolve && { resolve }),
    attemptTimeoutMs: ATTEMPT_MS,
    answerBytesMax: ANSWER_BYTES_MAX,
    trust: createTrust(extraCa),
    keep: KEEP,
  });
  const scheme = identity === undefined ? "http" : "https";
  const uri = `${scheme}://${host}:${destination.port}/`;
  const result = (text: string, further: Further = {}): Promise<Sent> => {
    const body = new TextEncoder().encode(text);
    return egress.send({ uri, headers: {}, body, lane: "lane", signal: NEVER, ...further });
  };
  return {
    heard,
    clock,
    egress,
    port: destination.port,
    /** Sends `text` and tells what came of it {@link inWords}. */
    async send(text: string, further?: Further): Promise<string> {
      return inWords(await result(text, further));
    },
    /** Sends `text`. */
    result,
    async [Symbol.asyncDispose]() {
      egress.close();
      // A connection that was closed says so a little later.
      for (let n = 0; n < 100 && clock.pending > 0; n++) {
        await new Promise((resolve) => setTimeout(resolve));
      }
      assertEquals(clock.pending, 0, "a timer is left");
      await destination[Symbol.asyncDispose]();
    },
  };
}

/** What came of a request, in a word or two. */
export function inWords(result: RequestResult): string {
  if (result.kind === "failed") return result.code;
  const text = new TextDecoder().decode(result.body);
  return `${result.status} ${result.truncated ? "cut" : text}`.trimEnd();
}
