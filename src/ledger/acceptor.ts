/**
 * Opens exports: counts them against what their owner may have open, gives each its place in its
 * lane, and remembers what was accepted, for polls of it and for the next delivery in its lane.
 */
import type { Clock } from "../clock.ts";
import type { Change } from "../exports/export.ts";
import type { Delivering, Pending } from "../exports/record.ts";
import { acceptanceOf, payloadBatch } from "./acceptance.ts";
import type { Batch } from "./batch.ts";
import type { GroupCommit } from "./group_commit.ts";
import { keyUse } from "./idempotency.ts";
import { InTurn } from "./in_turn.ts";
import { keys } from "./keys.ts";
import { heldAfter } from "./layout.ts";
import type { Acceptance, AcceptOptions } from "./ledger.ts";
import { readStored } from "./look_up.ts";
import type { OpenExports } from "./open_exports.ts";
import { PARTS_IN_COMMIT } from "../limits.ts";
import { bytesOfAcceptance, bytesOfEntries, type StorageQuota } from "./storage_quota.ts";
import { cut } from "./parts.ts";
import type { Layout } from "./stored.ts";
import { abandon } from "./staging.ts";
import type { NextInLane } from "./next_in_lane.ts";
import type { Recent } from "./recent.ts";

export interface AcceptorParts {
  readonly kv: Deno.Kv;
  readonly commits: GroupCommit;
  readonly clock: Pick<Clock, "now">;
  readonly open: OpenExports;
  readonly quota: StorageQuota;
  readonly recent: Recent;
  readonly nextInLane: NextInLane;
  /** A place later than any handed out before. */
  readonly nextOrder: () => number;
}

/** An acceptance ready to commit; planned as late as that, since others come to the lane too. */
interface Planned {
  /** The accepting commit, with what the payload and the client's key add. */
  readonly batch: Batch;
  readonly layout: Layout;
  /** Present only if nothing is before it in its lane. */
  readonly claim: Change<Delivering> | undefined;
  /** The place before it in its lane, if that is known. */
  readonly before: number | undefined;
}

export class Acceptor {
  readonly #parts: AcceptorParts;
  readonly #byKey = new InTurn();

  constructor(parts: AcceptorParts) {
    this.#parts = parts;
  }

  /**
   * As {@link Ledger.accept}. Concurrent submissions with the same key are accepted in turn, or all
   * but the first would be denied and fail the commits that they share.
   */
  async accept(
    change: Change<Pending>,
    payload: Uint8Array,
    options: AcceptOptions,
  ): Promise<Acceptance> {
    const { idempotency } = options;
    const task = () => this.#accept(change, payload, options);
    return idempotency === undefined
      ? await task()
      : await this.#byKey.run(`${change.record.owner} ${idempotency.key}`, task);
  }

  async #accept(
    change: Change<Pending>,
    payload: Uint8Array,
    { idempotency, claim }: AcceptOptions,
  ): Promise<Acceptance> {
    const { kv, commits, clock, open, quota } = this.#parts;
    const { record } = change;
    const use = await keyUse(kv, record, idempotency, clock.now());
    if (use.kind !== "new") return use;
    // Counted before it is committed: concurrent submissions must not all find room.
    const refusal = quota.exceeded(record.owner, clock.now()) ?? open.begin(record);
    if (refusal !== undefined) return refusal;
    let charged = 0;
    const charge = (bytes: number) => {
      charged += bytes;
      quota.add(record.owner, bytes, clock.now());
    };
    charge(bytesOfAcceptance(record.uri, change.entries));
    const { first, parts } = cut(payload, record);
    const place = { first, parts: parts.length, hasPlace: false };
    let isAccepted = false;
    try {
      const payloadWrites = await payloadBatch(kv, record.id, parts, clock.now());
      // Planned only now: others may have joined the lane meanwhile.
      const planned = this.#plan(change, { claim, place, more: [payloadWrites, use.reservation] });
      charge(bytesOfEntries(planned.claim?.entries ?? []));
      const committed = await commits.commit(planned.batch);
      isAccepted = committed !== undefined || await this.#wentThrough(record, planned);
      if (committed !== undefined) return this.#takeUp(change, payload, planned, committed);
      if (isAccepted) return { kind: "accepted" };
      if (planned.claim === undefined && idempotency === undefined) {
        throw new Error(`Cannot accept ${record.id}: the id is taken, or its parts were swept`);
      }
    } finally {
      open.end(record);
      if (!isAccepted) {
        open.failed(record);
        charge(-charged);
        if (parts.length > PARTS_IN_COMMIT) await abandon(kv, record.id).catch(() => {});
      }
    }
    // The lane or the key was taken meanwhile: retried without a claim, and with the key known.
    return this.#accept(change, payload, { idempotency });
  }

  /** Gives an export its place in the lane, and its claim if it is the first there. */
  #plan(
    change: Change<Pending>,
    { claim, place, more }: {
      readonly claim: Change<Delivering> | undefined;
      readonly place: Omit<Layout, "order">;
      readonly more: readonly Batch[];
    },
  ): Planned {
    const { open, nextInLane, nextOrder } = this.#parts;
    const { lane } = change.record;
    const layout = { ...place, order: nextOrder() };
    const isFirst = open.isAlone(lane);
    const before = nextInLane.follow(lane, layout.order, isFirst);
    const given = isFirst ? claim : undefined;
    const batch = acceptanceOf(change, { claim: given, layout, more });
    return { batch, layout, claim: given, before };
  }

  /**
   * A commit that reported a failure may still have succeeded, and is then refused when retried. It
   * did succeed if the export has the place from this acceptance: no other was given that place.
   */
  async #wentThrough({ id }: Pending, { layout }: Planned): Promise<boolean> {
    return (await readStored(this.#parts.kv, keys.export(id)))?.order === layout.order;
  }

  #takeUp(
    change: Change<Pending>,
    payload: Uint8Array,
    { claim, layout, before }: Planned,
    committed: string,
  ): Acceptance {
    const { recent, nextInLane } = this.#parts;
    recent.note(claim?.record ?? change.record);
    if (claim !== undefined) {
      return { kind: "accepted", claimed: heldAfter(claim, layout, committed) };
    }
    nextInLane.note(heldAfter(change, layout, committed), payload, before);
    return { kind: "accepted" };
  }
}
