/**
 * What requests may cost, as an operator sets it, and what counts it. One for the whole process,
 * so that the same owner is bounded on all routes together.
 */
import type { Clock } from "../clock.ts";
import type { HeadBounds } from "./head_bounds.ts";
import { type PlaceBounds, Places } from "./places.ts";
import { PlacesInTurn } from "./places_in_turn.ts";
import { RequestRate } from "./request_rate.ts";

export interface RequestBounds extends HeadBounds {
  /** Objects and arrays within each other, in a body and in `data`. */
  readonly jsonDepth: number;
  /** From a request's head to the last byte of its body. */
  readonly bodyTimeoutMs: number;
  /** Bytes of bodies being received, or held until they are accepted. */
  readonly bodies: PlaceBounds;
  /** Polls that wait. */
  readonly polls: PlaceBounds;
  /** Bytes of JSON with large answers that are on their way to polls, and as many to sockets. */
  readonly answers: PlaceBounds;
  /** Polls that wait for room among these. */
  readonly answersWaiting: PlaceBounds;
  /** Of one owner. */
  readonly requestsPerSecond: number;
}

/** The bounds of one request, and the counters of all. */
export interface Bounded {
  readonly headBounds: HeadBounds;
  readonly jsonDepth: number;
  readonly bodyTimeoutMs: number;
  readonly bodies: Places;
  readonly polls: Places;
  readonly answers: PlacesInTurn;
  readonly socketAnswers: Places;
  readonly rate: RequestRate;
}

export function boundedBy(bounds: RequestBounds, clock: Clock): Bounded {
  const { jsonDepth, bodyTimeoutMs, requestsPerSecond } = bounds;
  return {
    headBounds: bounds,
    jsonDepth,
    bodyTimeoutMs,
    bodies: new Places(bounds.bodies),
    polls: new Places(bounds.polls),
    answers: new PlacesInTurn(bounds.answers, bounds.answersWaiting),
    socketAnswers: new Places(bounds.answers),
    rate: new RequestRate(clock, requestsPerSecond),
  };
}
