/**
 * How an export is stored, by its state: a waiting one has a place in its lane, a finished one has
 * its answer where its payload was. Pure.
 */
import type { Change } from "../exports/export.ts";
import type { ExportRecord } from "../exports/record.ts";
import { keys } from "./keys.ts";
import type { Held } from "./ledger.ts";
import type { Cut } from "./parts.ts";
import { encodeExport, encodePlace, type Layout } from "./stored.ts";

/** What replaces the payload of a finished export, and for how long it is kept. */
export interface Kept {
  readonly answer: Cut;
  readonly expireIn: number;
}

/** How `record` is stored if its export was stored as `before`. */
function layOut({ state }: ExportRecord, before: Layout, kept?: Kept): Layout {
  const { order, hasPlace, first, parts } = before;
  if (state !== "finished") {
    return { order, hasPlace: hasPlace || state === "pending", first, parts };
  }
  const answer = kept?.answer ?? NOTHING;
  return { order, hasPlace: false, first: answer.first, parts: answer.parts.length };
}

const NOTHING: Cut = { first: new Uint8Array(), parts: [] };

/** What must be set to store `record`, and its place if it gets one now. */
export function setsOf(record: ExportRecord, before: Layout, kept?: Kept) {
  const { id, lane } = record;
  const after = layOut(record, before, kept);
  const value = encodeExport({ ...after, record });
  const expiry = kept === undefined ? {} : { expireIn: kept.expireIn };
  const isPlaced = after.hasPlace && !before.hasPlace;
  return [
    { key: keys.export(id), value, ...expiry },
    ...isPlaced ? [{ key: keys.place(lane, after.order, id), value: encodePlace(record) }] : [],
  ];
}

/** The held export once a change from `before` has the versionstamp `committed`. */
export function heldAfter<R extends ExportRecord>(
  { record, lease }: Change<R>,
  before: Layout,
  committed: string,
): Held<R> {
  const versions = { record: committed, lease: lease === undefined ? null : committed };
  return { record, lease, stored: { ...layOut(record, before), versions } };
}
