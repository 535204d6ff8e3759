/**
 * Apps, a service and destinations in which anything may happen at any time: one schedule, made of
 * steps that the dice choose. A crash leaves the store, and a new service goes on with it.
 */
import { assert, assertEquals } from "@std/assert";
import type { OutboundRequest, SendResult } from "../../src/deliver/attempt.ts";
import type { Dice } from "../fakes/dice.ts";
import type { Accepted } from "../fakes/ends_well.ts";
import { FakeClock } from "../fakes/fake_clock.ts";
import { pass } from "../fakes/fault.ts";
import {
  answered,
  openTestService,
  type TestService,
  type TestServiceOptions,
} from "../fakes/test_service.ts";
import { Chance } from "./chance.ts";

const OWNERS = ["", "weather"] as const;
const URIS = ["https://a.example/", "https://b.example/", "https://b.example/two"] as const;
const FAILURES = [
  "connection_refused",
  "timed_out",
  "dns_error",
  "certificate_invalid",
] as const;
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

interface Submission {
  readonly key: string | undefined;
  readonly uri: string;
  readonly token: string;
  readonly pollToken: string;
  readonly data: string;
  id: string | undefined;
}

/** How many lanes are worked at once; more than there are, by default. */
export type Hands = Pick<TestServiceOptions, "parallel" | "parallelPerHost">;

export class World {
  readonly clock = new FakeClock();
  readonly sent: OutboundRequest[] = [];
  /** Ids of the requests that a destination has read, each as often as it did. */
  readonly read: string[] = [];
  readonly #dice: Dice;
  readonly #kv: Deno.Kv;
  readonly #hands: Hands;
  readonly #submissions: Submission[] = [];
  /** The furthest state that an app was shown, by id. */
  readonly #shown = new Map<string, string>();
  readonly #asking = new Set<Promise<void>>();
  #chance: Chance;
  #service: TestService | undefined;
  #calm = false;

  constructor(kv: Deno.Kv, dice: Dice, hands: Hands = {}) {
    this.#kv = kv;
    this.#dice = dice;
    this.#hands = hands;
    this.#chance = new Chance(dice, this.clock);
  }

  get service(): TestService {
    if (this.#service === undefined) throw new Error("No service runs");
    return this.#service;
  }

  get accepted(): Accepted[] {
    return this.#submissions.flatMap(({ id, uri, data, pollToken }) =>
      id === undefined ? [] : [{ id, uri, data, token: pollToken }]
    );
  }

  async start(): Promise<void> {
    this.#chance = new Chance(this.#dice, this.clock);
    const running = new Set<string>();
    this.#service = await openTestService({
      kv: this.#kv,
      clock: this.clock,
      sent: this.sent,
      trouble: this.#chance,
      newId: () => this.#dice.uuid(),
      retentionMs: 1_000 * HOUR_MS,
      ...this.#hands,
      destination: (request) => this.#arrive(request, running),
    });
    void this.#service.worker.wakeAll();
  }

  /** Does the next thing. */
  async step(): Promise<void> {
    const dice = this.#dice;
    const throwOf20 = dice.below(20);
    if (throwOf20 < 7) this.#submit();
    else if (throwOf20 < 10) this.#poll();
    else if (throwOf20 < 15) await this.#pass(dice.below(120) * SECOND_MS);
    else if (throwOf20 < 17) this.#chance.level = dice.pick([0, 0.02, 0.2, 1]);
    else if (throwOf20 < 18) this.clock.jump((dice.below(13) - 6) * HOUR_MS);
    else if (throwOf20 < 19) this.#tracked(this.service.ledger.sweep().then(() => {}, () => {}));
    else await this.#crash();
  }

  /** Ends all trouble, and gives the service an hour to put things in order. */
  async calmDown(): Promise<void> {
    this.#calm = true;
    this.#chance.level = 0;
    await this.#pass(5 * SECOND_MS);
    for (const submission of this.#submissions) {
      if (submission.key !== undefined && submission.id === undefined) this.#ask(submission);
    }
    await this.#pass(HOUR_MS);
    await Promise.all(this.#asking);
    // What was staged just now, by a clock put back and forth, is old a little later.
    await this.service.ledger.sweep();
    await this.#pass(HOUR_MS / 2);
  }

  async #pass(ms: number): Promise<void> {
    await pass(ms, this.clock, this.#chance);
  }

  async #crash(): Promise<void> {
    this.#chance.crash();
    await this.#pass(0);
    // Whoever waited for the old service waits in vain.
    this.#asking.clear();
    await this.start();
  }

  /** Answers, fails, or takes its time; one request of a lane at a time from one service. */
  async #arrive({ body, headers }: OutboundRequest, running: Set<string>): Promise<SendResult> {
    const dice = this.#dice;
    const { lane } = JSON.parse(new TextDecoder().decode(body));
    assert(!running.has(lane), `two at once in the lane ${lane}`);
    running.add(lane);
    const ms = this.#calm ? 0 : dice.below(3) * dice.below(20) * SECOND_MS;
    if (ms > 0) await new Promise<void>((resolve) => this.clock.after(ms, resolve));
    running.delete(lane);
    const code = this.#calm || dice.below(10) < 7 ? undefined : dice.pick(FAILURES);
    if (code === undefined) {
      this.read.push(headers["webhook-id"] ?? "");
      return answered();
    }
    // Without a throw of the dice, so that former seeds keep their schedules.
    const isRead = code === "timed_out" && this.read.length % 2 === 0;
    if (isRead) this.read.push(headers["webhook-id"] ?? "");
    return { kind: "failed", code, address: "192.0.2.1", ...(!isRead && { unsent: true }) };
  }

  #submit(): void {
    const dice = this.#dice;
    const uri = dice.pick(URIS);
    const identifier = dice.pick(OWNERS);
    const large = dice.below(40) === 0 ? "x".repeat(300_000) : "";
    const n = this.#submissions.length;
    const token = { identifier, destination: uri };
    const submission = {
      key: dice.below(2) === 0 ? `key ${n}`.replace(" ", "-") : undefined,
      uri,
      token: this.service.token(token),
      pollToken: this.service.token({ ...token, path: "/export" }),
      data: JSON.stringify({ lane: `${identifier} ${uri}`, n, large }),
      id: undefined,
    };
    this.#submissions.push(submission);
    this.#ask(submission);
  }

  #ask(submission: Submission): void {
    const { key, uri, token, data } = submission;
    const headers = { ...(key !== undefined && { "idempotency-key": key }) };
    this.#request("/lp/export", { id: "", uri, data }, { token, headers }, ({ id }) => {
      submission.id = id;
    });
  }

  #poll(): void {
    const submission = this.#submissions[this.#dice.below(this.#submissions.length)];
    if (submission?.id === undefined) return;
    const { id, uri, pollToken, token } = submission;
    const body = { id, uri, data: "{}" };
    const note = ({ state }: { state: string }) => {
      const before = this.#shown.get(id) ?? "Pending";
      if (before === "Finished") assertEquals(state, before);
      if (state !== "Pending") this.#shown.set(id, state);
    };
    if (this.#dice.below(2) === 0) {
      return this.#request("/export", body, { token: pollToken }, note);
    }
    this.#request(`/lp/export?timeout=${this.#dice.below(60)}`, body, { token }, note);
  }

  #request(
    path: string,
    body: unknown,
    init: { token: string; headers?: Record<string, string> },
    note: (receipt: { id: string; state: string }) => void,
  ): void {
    const asking = async () => {
      const response = await this.service.ask(path, body, init);
      const text = await response.text();
      assert([200, 503].includes(response.status), `${response.status} ${text}`);
      if (response.status === 200) note(JSON.parse(text));
    };
    this.#tracked(asking());
  }

  #tracked(promise: Promise<void>): void {
    this.#asking.add(promise);
  }
}
