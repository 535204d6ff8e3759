/**
 * What an app's request says: the body of contract 1.5 and `timeout` of 1.9. Pure; does not know
 * who asks, or whether they may.
 */
import { z } from "zod";
import { type JsonVerdict, judgeJson, type Span } from "./json_text.ts";
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

type Judged = Extract<JsonVerdict, { kind: "json" }>;

const NIL_UUID = "00000000-0000-0000-0000-000000000000";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/;
const DATA_EXAMPLE = String.raw`"{\"a\": 1}"`;
const EXAMPLE = `{"id": "", "uri": "https://example.org/", "data": ${DATA_EXAMPLE}}`;

const shape = z.object({
  id: text("an empty string for a new export, or the id of an earlier one"),
  uri: text("the destination"),
  data: text(`JSON text in a string, such as ${DATA_EXAMPLE}`),
}, { error: `The body must be a JSON object like ${EXAMPLE}.` });

/** What is looked at in a body, in the order in which it is taken apart below. */
const MEMBERS = ["id", "uri", "data"];

/** Reads a request body; faults are worded so that an app developer can act on them. */
export function parseExportRequest(body: Uint8Array, depthMax: number): ExportRequest {
  const json = unmarked(body);
  const verdict = judgeJson(json, depthMax, MEMBERS);
  if (verdict.kind === "too_deep") return malformed(`The body is nested ${tooDeep(depthMax)}`);
  const text = verdict.kind === "json" ? decoded(json) : undefined;
  if (verdict.kind === "not_json" || text === undefined) {
    return malformed(`The body must be JSON in UTF-8 like ${EXAMPLE}, and nothing else.`);
  }
  const members = membersIn(json, text, verdict);
  const uuid = uuidIn(members?.id);
  const isNew = uuid === NIL_UUID;
  const fault = (detail: string) => malformed(detail, isNew ? undefined : uuid);
  const { success, data: fields, error } = shape.safeParse(members);
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
function uuidIn(id: unknown): string | undefined {
  return typeof id === "string" ? UUID.exec(id.toLowerCase())?.[0] : undefined;
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
  const verdict = judgeJson(payload, depthMax);
  if (verdict.kind === "too_deep") return `${rule} It is nested ${tooDeep(depthMax)}`;
  if (verdict.kind === "not_json") return `${rule} It is not JSON.`;
  if (verdict.top === "string") return `${rule} It holds a string: it was stringified twice.`;
  return verdict.top === "other" ? rule : undefined;
}

/** `body` without the byte-order mark that may be before it. */
function unmarked(body: Uint8Array): Uint8Array {
  const isMarked = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  return isMarked ? body.subarray(3) : body;
}

/** What `json` says; `undefined` if it is not UTF-8. */
function decoded(json: Uint8Array): string | undefined {
  try {
    return utf8.decode(json);
  } catch {
    return undefined;
  }
}

/** The strings among the members of `json`, which says `text`; other values are null. */
function membersIn(json: Uint8Array, text: string, { top, members }: Judged) {
  // If all of it is ASCII, characters are where their bytes are.
  const isAscii = text.length === json.length;
  const stringAt = (span: Span | undefined): unknown => {
    if (span === undefined) return undefined;
    const { start, end } = span;
    if (json[start] !== QUOTE) return null;
    return JSON.parse(isAscii ? text.slice(start, end) : utf8.decode(json.subarray(start, end)));
  };
  const [id, uri, data] = members.map(stringAt);
  return top === "object" ? { id, uri, data } : undefined;
}

const QUOTE = 0x22;
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
