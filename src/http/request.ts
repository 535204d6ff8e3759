/**
 * What an app's request says: the body of contract 1.5 and `timeout` of 1.9. Pure; does not know
 * who asks, or whether they may.
 */
import { z } from "zod";
import { isDeeperThan } from "./json_depth.ts";
import {
  BODY_ENVELOPE_BYTES,
  BODY_ESCAPE_FACTOR,
  IDEMPOTENCY_KEY_CHARS_MAX,
  POLL_DEFAULT_MS,
  POLL_MAX_MS,
} from "../limits.ts";

/** A request for a new export, a poll of an old one, or neither. */
export type ExportRequest =
  | { readonly kind: "submission"; readonly uri: string; readonly payload: Uint8Array }
  | { readonly kind: "poll"; readonly uri: string; readonly id: string }
  /** `id` is that of the export it is about, if it names one. */
  | { readonly kind: "malformed"; readonly detail: string; readonly id?: string | undefined };

const NIL_UUID = "00000000-0000-0000-0000-000000000000";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;
const DATA_EXAMPLE = String.raw`"{\"a\": 1}"`;
const EXAMPLE = `{"id": "", "uri": "https://example.org/", "data": ${DATA_EXAMPLE}}`;

const shape = z.object({
  id: text("an empty string for a new export, or the id of an earlier one"),
  uri: text("the destination"),
  data: text(`JSON text in a string, such as ${DATA_EXAMPLE}`),
}, { error: `The body must be a JSON object like ${EXAMPLE}.` });

/** A body that names an export, whatever else may be wrong with it. */
const naming = z.object({ id: z.string() });

/** Reads a request body; faults are worded so that an app developer can act on them. */
export function parseExportRequest(body: Uint8Array, depthMax: number): ExportRequest {
  if (isDeeperThan(body, depthMax)) return malformed(`The body is nested ${tooDeep(depthMax)}`);
  const json = parseJson(body);
  if (json === undefined) {
    return malformed(`The body must be JSON in UTF-8 like ${EXAMPLE}, and nothing else.`);
  }
  const uuid = uuidIn(json.value);
  const isNew = uuid === NIL_UUID;
  const fault = (detail: string) => malformed(detail, isNew ? undefined : uuid);
  const { success, data: fields, error } = shape.safeParse(json.value);
  if (!success) return fault(error.issues.map(({ message }) => message).join(" "));
  const { id, uri, data } = fields;
  const payload = encoder.encode(data);
  const faultInData = faultOfData(data, payload, depthMax);
  if (faultInData !== undefined) return fault(faultInData);
  if (id === "" || isNew) return { kind: "submission", uri, payload };
  if (uuid === undefined) return fault("`id` must be empty for a new export, or a UUID.");
  return { kind: "poll", uri, id: uuid };
}

/** The UUID in `id`. Like the original, ignores case and anything after it (contract 1.5). */
function uuidIn(body: unknown): string | undefined {
  const { data } = naming.safeParse(body);
  return UUID.exec(data?.id.toLowerCase() ?? "")?.[0];
}

function text(what: string) {
  return z.string({
    error: ({ path, input }) =>
      input === undefined
        ? `\`${path?.join(".")}\` is missing: ${what}.`
        : `\`${path?.join(".")}\` must be a string: ${what}.`,
  });
}

function malformed(detail: string, id?: string): ExportRequest {
  return { kind: "malformed", detail, id };
}

function tooDeep(depthMax: number): string {
  return `deeper than ${depthMax} objects and arrays.`;
}

function faultOfData(data: string, payload: Uint8Array, depthMax: number): string | undefined {
  const rule = "`data` must be a string that holds JSON text of an object or array, " +
    `such as ${DATA_EXAMPLE}.`;
  if (!data.isWellFormed()) return `${rule} It has half a surrogate pair, which no bytes can hold.`;
  if (isDeeperThan(payload, depthMax)) return `${rule} It is nested ${tooDeep(depthMax)}`;
  const json = parseJson(data);
  if (json === undefined) return `${rule} It is not JSON.`;
  if (typeof json.value === "string") return `${rule} It holds a string: it was stringified twice.`;
  return typeof json.value === "object" && json.value !== null ? undefined : rule;
}

/** The value in `text`, wrapped because it may be null; `undefined` if it is not JSON in UTF-8. */
function parseJson(text: Uint8Array | string): { readonly value: unknown } | undefined {
  try {
    const json = typeof text === "string" ? text : utf8.decode(text);
    return { value: JSON.parse(json) };
  } catch {
    return undefined;
  }
}

const encoder = new TextEncoder();
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The most bytes that a request may take: a payload of `payloadBytesMax` fits in. */
export function requestBytesMax(payloadBytesMax: number): number {
  return BODY_ESCAPE_FACTOR * payloadBytesMax + BODY_ENVELOPE_BYTES;
}

/**
 * How long a long poll may wait: `timeout` in seconds, fractions allowed; 5 if absent or nonsense,
 * at once if zero or less, 60 at most (contract 1.9).
 */
export function pollTimeoutMs(timeout: string | undefined): number {
  const seconds = timeout === undefined || timeout.trim() === "" ? NaN : Number(timeout);
  if (Number.isNaN(seconds)) return POLL_DEFAULT_MS;
  return Math.min(Math.max(seconds * 1_000, 0), POLL_MAX_MS);
}

/** Whether `key` may be an `Idempotency-Key`: visible ASCII, not too long. */
export function isIdempotencyKey(key: string): boolean {
  return key.length <= IDEMPOTENCY_KEY_CHARS_MAX && /^[\x21-\x7e]+$/.test(key);
}
