/** What an app sees of its export: the names and member order of the wire (contract 1.6). Pure. */
import type { ExportRecord, Finished } from "./record.ts";
import { FAILURES } from "./failure.ts";
import { statusText } from "./status_phrase.ts";

/** The three states of the wire. */
export type WireState = "Pending" | "Processing" | "Finished";

/** `ext_response` of a finished export. Optional members are present only when they apply. */
export interface ExtResponse {
  readonly status: string;
  readonly body: string;
  readonly encoding?: "base64";
  readonly truncated?: true;
  readonly error?: { readonly code: string; readonly detail: string; readonly attempts: number };
}

/** The body of every 200. */
export interface Receipt {
  readonly id: string;
  readonly state: WireState;
  readonly ext_response: ExtResponse | Readonly<Record<string, never>>;
}

/** An export waiting for a retry is still `Processing`: states only move forward. */
export function wireState(record: ExportRecord): WireState {
  if (record.state === "finished") return "Finished";
  return record.attempts === 0 ? "Pending" : "Processing";
}

const RANKS: Readonly<Record<WireState, number>> = { Pending: 0, Processing: 1, Finished: 2 };

/** Whether `record` is further along than `state`; states only ever move forward. */
export function isPast(record: ExportRecord, state: WireState): boolean {
  return RANKS[wireState(record)] > RANKS[state];
}

/** Bytes of the destination's answer that a receipt of `record` holds. */
export function answerBytesOf(record: ExportRecord): number {
  return record.state === "finished" && record.result.kind === "answered"
    ? record.result.answerBytes
    : 0;
}

/** Receipt of an export that is not finished. */
export function openReceipt(record: ExportRecord): Receipt {
  return { id: record.id, state: wireState(record), ext_response: {} };
}

/** Receipt of a finished export; `answer` is the destination's body as stored. */
export function finishedReceipt(record: Finished, answer: Uint8Array): Receipt {
  return { id: record.id, state: "Finished", ext_response: extResponse(record, answer) };
}

function extResponse({ result, attempts }: Finished, answer: Uint8Array): ExtResponse {
  if (result.kind === "failed") {
    const { status, detail } = FAILURES[result.code];
    const words = result.rule === undefined ? detail : `${detail} Rule: ${result.rule}.`;
    return {
      status: statusText(status),
      body: "",
      error: { code: result.code, detail: words, attempts },
    };
  }
  return {
    status: statusText(result.status),
    ...textOrBase64(answer, result.truncated),
    ...(result.truncated && { truncated: true }),
  };
}

/** An answer that is not UTF-8 is sent as base64; a character cut in two by the cap is left out. */
function textOrBase64(
  answer: Uint8Array,
  truncated: boolean,
): { readonly body: string; readonly encoding?: "base64" } {
  try {
    // With `stream`, a decoder holds back an incomplete character instead of rejecting it.
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return { body: decoder.decode(answer, { stream: truncated }) };
  } catch {
    return { body: answer.toBase64(), encoding: "base64" };
  }
}
