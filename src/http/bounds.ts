/**
 * What requests may cost, as the operator sets it, and the counters for it. One set for the whole
 * process, so that an owner is bounded across all routes together.
 */
import type { Clock } from "../clock.ts";
import { SHORT_BODIES_MAX, SHORT_BODIES_PER_OWNER_MAX } from "../limits.ts";
import type { HeadBounds } from "./head_bounds.ts";
import { type PlaceBounds, Places } from "./places.ts";
import { PlacesInTurn } from "./places_in_turn.ts";
import { RequestRate } from "./request_rate.ts";
import { Turns } from "./turns.ts";

export interface RequestBounds extends HeadBounds {
  /** How deep objects and arrays may be nested, in a body and in `data`. */
  readonly jsonDepth: number;
  /** From a request's head to the last byte of its body. */
  readonly bodyTimeoutMs: number;
  /** Bytes of bodies being received, or held until they are accepted. */
  readonly bodies: PlaceBounds;
  /** Polls that wait. */
  readonly polls: PlaceBounds;
  /** Bytes of JSON with large answers in flight to polls, and as many again to sockets. */
  readonly answers: PlaceBounds;
  /** Polls that wait for room among these. */
  readonly answersWaiting: PlaceBounds;
  /** For one owner. */
  readonly requestsPerSecond: number;
}

/** The bounds of one request, and the counters of all. */
export interface Bounded {
  readonly headBounds: HeadBounds;
  readonly jsonDepth: number;
  readonly bodyTimeoutMs: number;
  readonly bodies: Places;
  /** How many short bodies are being received, which do not count among these. */
  readonly shortBodies: Places;
  readonly turns: Turns;
  readonly polls: Places;
  readonly answers: PlacesInTurn;
  readonly socketAnswers: Places;
  readonly rate: RequestRate;
}

/** Polls that waited end together and are asked again at once: there is a place for each. */
function shortBodies({ polls }: RequestBounds): PlaceBounds {
  return {
    total: Math.max(SHORT_BODIES_MAX, polls.total),
    perOwner: Math.max(SHORT_BODIES_PER_OWNER_MAX, polls.perOwner),
  };
}

export function boundedBy(bounds: RequestBounds, clock: Clock): Bounded {
  const { jsonDepth, bodyTimeoutMs, requestsPerSecond } = bounds;
  return {
    headBounds: bounds,
    jsonDepth,
    bodyTimeoutMs,
    bodies: new Places(bounds.bodies),
    shortBodies: new Places(shortBodies(bounds)),
    turns: new Turns(clock),
    polls: new Places(bounds.polls),
    answers: new PlacesInTurn(bounds.answers, bounds.answersWaiting),
    socketAnswers: new Places(bounds.answers),
    rate: new RequestRate(clock, requestsPerSecond),
  };
}
