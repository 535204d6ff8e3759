/**
 * Reads a request's body within bounds: no more bytes than are permitted, no longer than is
 * permitted. Never looks into it.
 */
import type { Clock } from "../clock.ts";
import { GrowingBytes } from "../growing_bytes.ts";

export interface BodyBounds {
  readonly bytesMax: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export type Body =
  | { readonly kind: "read"; readonly bytes: Uint8Array }
  | { readonly kind: "too_large" }
  | { readonly kind: "too_slow" }
  | { readonly kind: "crumbled" }
  /** It ended early or is framed wrongly, or its client is gone. */
  | { readonly kind: "broken" };

/**
 * The whole body. Of one that is too large nothing is read if its length is told, else no more than
 * shows it; of one that is too slow, what came in time.
 */
export async function readBody(request: Request, bounds: BodyBounds): Promise<Body> {
  const { bytesMax, timeoutMs, clock } = bounds;
  const told = lengthOf(request);
  if (told !== undefined && told > bytesMax) return { kind: "too_large" };
  if (told !== undefined && told <= SMALL_BYTES) return await readSmall(request, bounds);
  if (request.body === null) return { kind: "read", bytes: new Uint8Array() };
  const reader = request.body.getReader();
  let late = false;
  const cancelTimer = clock.after(timeoutMs, () => {
    late = true;
    forget(reader);
  });
  try {
    // A client may send its bytes one by one.
    const content = new GrowingBytes(told ?? BUFFER_BYTES, bytesMax);
    for (;;) {
      const { done, value } = await reader.read();
      if (late) return { kind: "too_slow" };
      if (done) return { kind: "read", bytes: content.bytes() };
      if (content.length + value.byteLength > bytesMax) {
        forget(reader);
        return { kind: "too_large" };
      }
      content.append(value);
      if (content.isCrumbled) {
        forget(reader);
        return { kind: "crumbled" };
      }
    }
  } catch {
    return { kind: late ? "too_slow" : "broken" };
  } finally {
    cancelTimer();
  }
}

/** Up to this, what is still to come of a body that is given up does not matter. */
const SMALL_BYTES = 65_536;

/** A body that may be left to itself: read in one go, which takes half the time. */
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

/** The length that the client tells; the runtime holds it to that. */
export function lengthOf({ headers }: Pick<Request, "headers">): number | undefined {
  const length = headers.get("content-length");
  return length === null || !/^\d+$/.test(length) ? undefined : Number(length);
}

/** Room for most bodies whose length is not told. */
const BUFFER_BYTES = 4_096;

/** Reads no further. Of a client that went away the cancellation is rejected, too. */
function forget(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(() => {});
}
