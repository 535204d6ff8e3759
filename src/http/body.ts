/** Reads a request's body within limits on bytes and time. Never looks into it. */
import type { Clock } from "../clock.ts";
import { GrowingBytes } from "../growing_bytes.ts";
import type { Turns } from "./turns.ts";

export interface BodyBounds {
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly turns: Turns;
  /** Counts a body that is being read; `end` is called if too much is held for all. */
  readonly watchMemory: (end: () => void) => () => void;
}

export type Body =
  | { readonly kind: "read"; readonly bytes: Uint8Array }
  /** `dropped`: the process has grown too much while it came. */
  | { readonly kind: "too_large" | "too_slow" | "dropped"; readonly inCrumbs?: true }
  /** It ended early or is framed wrongly, or its client is gone. */
  | { readonly kind: "broken" };

/**
 * Reads the whole body. Nothing is read of one that is declared too large; an undeclared one is
 * read until it exceeds the limit, a slow one until its time is up.
 */
export async function readBody(request: Request, bounds: BodyBounds): Promise<Body> {
  const { bytesMax, timeoutMs, clock, turns, watchMemory } = bounds;
  const declared = lengthOf(request);
  if (declared !== undefined && declared > bytesMax) return { kind: "too_large" };
  if (declared !== undefined && declared <= SMALL_BYTES) return await readSmall(request, bounds);
  if (request.body === null) return { kind: "read", bytes: new Uint8Array() };
  const reader = request.body.getReader();
  // A client may send its bytes one by one.
  const content = new GrowingBytes(declared ?? BUFFER_BYTES, bytesMax);
  let parts = 0;
  let ended: Body | undefined;
  const end = (kind: "too_large" | "too_slow" | "dropped") => {
    const inCrumbs = parts > FREE_PARTS && content.length < parts * CRUMB_BYTES;
    forget(reader);
    return ended = { kind, ...(inCrumbs && { inCrumbs }) };
  };
  const cancelTimer = clock.after(timeoutMs, () => end("too_slow"));
  const leave = watchMemory(() => end("dropped"));
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (ended !== undefined) return ended;
      if (done) return { kind: "read", bytes: content.bytes() };
      if (content.length + value.byteLength > bytesMax) return end("too_large");
      content.append(value);
      const turn = ++parts > FREE_PARTS ? turns.after(value.byteLength) : undefined;
      if (turn !== undefined) await turn;
    }
  } catch {
    return ended ?? { kind: "broken" };
  } finally {
    cancelTimer();
    leave();
  }
}

/** Up to this size, what is still to come of an abandoned body does not matter. */
const SMALL_BYTES = 65_536;

/** Reads a body that may be abandoned without cancelling: in one go, which takes half the time. */
function readSmall(request: Request, { timeoutMs, clock }: BodyBounds): Promise<Body> {
  return new Promise((resolve) => {
    const end = (body: Body) => {
      cancelTimer();
      resolve(body);
    };
    const cancelTimer = clock.after(timeoutMs, () => end({ kind: "too_slow" }));
    request.bytes().then(
      (bytes) => end({ kind: "read", bytes }),
      () => end({ kind: "broken" }),
    );
  });
}

/** The length that the client declares; the runtime holds it to that. */
export function lengthOf({ headers }: Pick<Request, "headers">): number | undefined {
  const length = headers.get("content-length");
  return length === null || !/^\d+$/.test(length) ? undefined : Number(length);
}

/** Most bodies come in fewer parts, and need not count them. */
const FREE_PARTS = 8;

/**
 * Parts that are shorter on average are crumbs: for each, Deno 2.9.6 reads some KiB ahead, and when
 * the body is abandoned it works through them all before anybody else has a turn.
 */
const CRUMB_BYTES = 256;

/** Room for most bodies of undeclared length. */
const BUFFER_BYTES = 4_096;

/** Stops reading. If the client has gone, the cancellation rejects, too. */
function forget(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(() => {});
}
