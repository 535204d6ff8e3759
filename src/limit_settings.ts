/**
 * The settings that bound what apps may cost: part of `config.ts`, and the form in which the rooms
 * take them. The defaults and their reasons are in `limits.ts`; the ceilings here are far above
 * what any box needs, so that a slip in a unit is noticed.
 */
import type { z } from "zod";
import {
  ANSWERS_BYTES_MAX,
  ANSWERS_BYTES_PER_OWNER_MAX,
  ANSWERS_WAITING_MAX,
  ANSWERS_WAITING_PER_OWNER_MAX,
  DEFAULTS,
  MEMORY_GROWTH_FACTOR,
  PAYLOAD_BYTES_CEILING,
  RECEIVING_BYTES_FLOOR,
} from "./limits.ts";
import { count, duration, size } from "./quantities.ts";

const KIB = 1_024;
const GIB = KIB ** 3;

export const limitSettings = {
  EXPORT_URL_LIMIT: size(DEFAULTS.urlChars, 256, 64 * KIB),
  EXPORT_HEADER_LIMIT: size(DEFAULTS.headerBytes, KIB, 64 * KIB),
  EXPORT_JSON_DEPTH: count(DEFAULTS.jsonDepth, 1_024),
  EXPORT_BODY_TIMEOUT: duration(DEFAULTS.bodyTimeoutMs, 1_000, 600_000),
  EXPORT_RECEIVING: size(DEFAULTS.receivingBytes, RECEIVING_BYTES_FLOOR, 64 * GIB),
  EXPORT_RECEIVING_PER_OWNER: size(
    DEFAULTS.receivingBytesPerOwner,
    RECEIVING_BYTES_FLOOR,
    64 * GIB,
  ),
  EXPORT_POLLS: count(DEFAULTS.polls, 65_536),
  EXPORT_POLLS_PER_OWNER: count(DEFAULTS.pollsPerOwner, 65_536),
  EXPORT_SOCKETS: count(DEFAULTS.sockets, 65_536),
  EXPORT_SOCKETS_PER_OWNER: count(DEFAULTS.socketsPerOwner, 65_536),
  EXPORT_OPEN: count(DEFAULTS.openExports, 1_000_000),
  EXPORT_OPEN_BYTES: size(DEFAULTS.openBytes, PAYLOAD_BYTES_CEILING, 64 * GIB),
  EXPORT_STORED_PER_DAY: size(DEFAULTS.storedBytesPerDay, KIB ** 2, KIB * GIB),
  EXPORT_REQUESTS_PER_SECOND: count(DEFAULTS.requestsPerSecond, 1_000_000),
};

/** These settings, parsed. */
export type LimitSettings = {
  readonly [Name in keyof typeof limitSettings]: z.output<(typeof limitSettings)[Name]>;
};

/** What requests may cost. */
export function requestBounds(config: LimitSettings) {
  return {
    urlChars: config.EXPORT_URL_LIMIT,
    headerBytes: config.EXPORT_HEADER_LIMIT,
    jsonDepth: config.EXPORT_JSON_DEPTH,
    bodyTimeoutMs: config.EXPORT_BODY_TIMEOUT,
    bodies: { total: config.EXPORT_RECEIVING, perOwner: config.EXPORT_RECEIVING_PER_OWNER },
    polls: { total: config.EXPORT_POLLS, perOwner: config.EXPORT_POLLS_PER_OWNER },
    answers: { total: ANSWERS_BYTES_MAX, perOwner: ANSWERS_BYTES_PER_OWNER_MAX },
    answersWaiting: { total: ANSWERS_WAITING_MAX, perOwner: ANSWERS_WAITING_PER_OWNER_MAX },
    requestsPerSecond: config.EXPORT_REQUESTS_PER_SECOND,
  };
}

/** How many WebSockets may be open. */
export function socketBounds(config: LimitSettings) {
  return { total: config.EXPORT_SOCKETS, perOwner: config.EXPORT_SOCKETS_PER_OWNER };
}

/** By how many bytes the process may grow beside what clients hold open. */
export function memoryGrowthMax(config: LimitSettings): number {
  return MEMORY_GROWTH_FACTOR * config.EXPORT_RECEIVING;
}

/** What one owner may have accepted and not finished. */
export function openBounds(config: LimitSettings) {
  return { exports: config.EXPORT_OPEN, bytes: config.EXPORT_OPEN_BYTES };
}
