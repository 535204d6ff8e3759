/**
 * One WebSocket: frames in, in order of arrival; states of exports out, until each is finished.
 * Every frame is judged like a request of its own. Nothing is kept here that the ledger does not
 * have, so a socket may go at any time.
 */
import { Counts } from "../counts.ts";
import { pause } from "../deadline.ts";
import { isPast, wireState } from "../exports/receipt.ts";
import type { ExportRecord, Finished } from "../exports/record.ts";
import {
  PART_BYTES,
  PARTS_IN_COMMIT,
  SOCKET_EXPORTS_MAX,
  SOCKET_FRAMES_IN_PROGRESS_MAX,
  SOCKET_LARGEST_FRAMES_WAITING,
  SOCKET_WATCH_MS,
  STORE_RETRY_MS,
} from "../limits.ts";
import { RELEASED } from "../wait/waiters.ts";
import { exchange, lookUp, noteFailure, receiptOf, type Reply, SHOWN_BEFORE } from "./exchange.ts";
import type { ExportRoutesParts } from "./export_routes.ts";
import { admit, type Call, type GuardParts } from "./guard.ts";
import { type Followed, Outbox } from "./outbox.ts";
import type { GiveBack } from "./places.ts";
import { noteLimit } from "./throttled_log.ts";
import { no, type ProblemCode, problemText } from "./problem.ts";
import { type ExportRequest, parseExportRequest, requestBytesMax } from "./request.ts";
import type { CloseReason, ServerSocket, SocketHandler } from "./sockets.ts";

export interface ConversationParts extends ExportRoutesParts, GuardParts {}

/** A received frame, and how to give back its share of the bytes that may be received. */
interface Received {
  readonly frame: Uint8Array;
  readonly forget: () => void;
}

/** Who opened the socket, and how. */
interface Opener {
  readonly call: Call;
  readonly owner: string;
}

export class Conversation implements SocketHandler {
  readonly #socket: ServerSocket;
  readonly #opener: Opener;
  readonly #parts: ConversationParts;
  readonly #outbox: Outbox;
  /** Frames that wait for their turn. */
  readonly #frames: Received[] = [];
  #waitingBytes = 0;
  #inProgress = 0;
  #largeInProgress = false;
  /** Resolves when the latest frame has been answered. */
  #lastAnswer = Promise.resolve();
  /** How many frames in progress ask about an export, by its id. */
  readonly #asked = new Counts();
  /** Exports whose outcome the client has not been sent yet. */
  readonly #followed = new Map<string, Followed>();
  /** Aborted when nothing more is to be followed. */
  readonly #leaving = new AbortController();
  readonly #left = Promise.withResolvers<void>();
  #closeReason: CloseReason | undefined;
  /** Nothing more is sent. */
  #isClosing = false;

  constructor(socket: ServerSocket, opener: Opener, parts: ConversationParts) {
    this.#socket = socket;
    this.#opener = opener;
    this.#parts = parts;
    this.#outbox = new Outbox({
      socket,
      clock: parts.clock,
      takeRoom: (bytes) => this.#takeRoom(bytes),
      frameOf: (record) => this.#frameOf(record),
      onTold: ({ id }) => this.#followed.delete(id),
      onRest: () => this.#proceed(),
      onStuck: () => void this.leave(TOO_SLOW),
    });
  }

  receive(data: unknown): void {
    if (this.#leaving.signal.aborted) return;
    if (typeof data !== "string") return void this.leave(NOT_TEXT);
    const frame = new TextEncoder().encode(data);
    const bytesMax = requestBytesMax(this.#parts.payloadBytesMax);
    if (frame.length > bytesMax) return void this.leave(TOO_BIG);
    const forget = this.#parts.bodies.take(this.#opener.owner, frame.length);
    if (forget === undefined) return void this.leave(TOO_MUCH);
    this.#frames.push({ frame, forget });
    this.#waitingBytes += frame.length;
    const open = this.#frames.length + this.#inProgress + this.#followed.size;
    const tooMuch = this.#waitingBytes > SOCKET_LARGEST_FRAMES_WAITING * bytesMax;
    if (open > SOCKET_EXPORTS_MAX || tooMuch) return void this.leave(TOO_MANY);
    this.#proceed();
  }

  leave(closeReason: CloseReason): Promise<void> {
    if (this.#closeReason === undefined) {
      this.#closeReason = closeReason;
      this.#stop();
      if (closeReason.code !== 1001) {
        const { owner } = this.#opener;
        this.#parts.throttledLog({ event: "socket.refused", owner, ...closeReason });
      }
      this.#proceed();
    }
    return this.#left.promise;
  }

  end(): void {
    this.#isClosing = true;
    this.#stop();
    this.#outbox.gone();
    this.#left.resolve();
  }

  /** Begins nothing more and follows nothing more. */
  #stop(): void {
    this.#leaving.abort();
    for (const { forget } of this.#frames.splice(0)) forget();
  }

  /** Does what can be done now: begins frames, or closes the socket. */
  #proceed(): void {
    while (this.#inProgress < SOCKET_FRAMES_IN_PROGRESS_MAX && !this.#largeInProgress) {
      // A client that does not read is not served.
      const received = this.#outbox.slow ? undefined : this.#frames.shift();
      if (received === undefined) break;
      this.#waitingBytes -= received.frame.length;
      void this.#handle(received);
    }
    if (this.#closeReason === undefined || this.#inProgress > 0 || !this.#outbox.atRest) return;
    if (!this.#isClosing) void this.#close(this.#closeReason);
  }

  /** Lets what was sent go out first, or it may be lost; does not wait for a slow client. */
  async #close({ code, reason }: CloseReason): Promise<void> {
    this.#isClosing = true;
    const { slow } = this.#outbox;
    this.#outbox.end();
    if (!slow) await this.#socket.quiet();
    this.#socket.close(code, reason);
    this.#left.resolve();
  }

  async #handle({ frame, forget }: Received): Promise<void> {
    // A large payload is staged before it gets its place in the lane. Later frames wait, so that
    // the order of arrival is the order of delivery.
    const large = frame.length > PARTS_IN_COMMIT * PART_BYTES;
    this.#inProgress++;
    this.#largeInProgress ||= large;
    const request = parseExportRequest(frame, this.#parts.jsonDepth);
    const id = request.kind === "submission" ? undefined : request.id;
    const isAsked = id !== undefined && this.#asked.of(id) > 0;
    if (id !== undefined) this.#asked.add(id, 1);
    let known: Followed | undefined;
    const look = () => {
      known = this.#followed.get(id ?? "");
      return this.#reply(request);
    };
    // Of two looks at once the later one may show less, and the outcome be told in between.
    const looked = isAsked ? this.#lastAnswer.then(look) : look();
    const reply = looked.catch((error) => no(this.#failed(error)));
    // In the order of the frames: only the order shows an app which of its submissions was refused.
    this.#lastAnswer = Promise.all([reply, this.#lastAnswer]).then(([reply]) => {
      if (reply.kind === "export") return this.#tell(newer(reply.record, known?.record));
      noteLimit(reply.code, this.#opener.owner, this.#parts.throttledLog);
      this.#outbox.say(problemText(reply.code, { detail: reply.detail, instance: id }));
    });
    await this.#lastAnswer;
    if (id !== undefined) this.#asked.add(id, -1);
    forget();
    if (large) this.#largeInProgress = false;
    this.#inProgress--;
    this.#proceed();
  }

  /** Judges the token again: it may have expired since the socket was opened. */
  async #reply(request: ExportRequest): Promise<Reply> {
    const admission = admit(this.#opener.call, this.#parts);
    if (admission.kind === "problem") return admission;
    const { method, path } = this.#opener.call;
    return await exchange({ grant: admission.grant, method, path }, request, this.#parts);
  }

  #tell(record: ExportRecord): void {
    const known = this.#followed.get(record.id);
    const followed = known ?? { record };
    followed.record = record;
    this.#followed.set(record.id, followed);
    this.#outbox.tell(followed);
    if (known === undefined) void this.#follow(followed);
  }

  async #follow(followed: Followed): Promise<void> {
    while (followed.record.state !== "finished" && !this.#leaving.signal.aborted) {
      const later = await this.#later(followed.record);
      if (later === undefined) continue;
      followed.record = later;
      this.#outbox.tell(followed);
    }
  }

  /** The export once it shows more than `record`; `undefined` when it is time to ask again. */
  async #later(record: ExportRecord): Promise<ExportRecord | undefined> {
    const { clock, waiters } = this.#parts;
    const { signal } = this.#leaving;
    const begun = clock.now();
    const enough = (now: ExportRecord) => isPast(now, wireState(record));
    const told = await waiters.until(record.id, enough, { timeoutMs: SOCKET_WATCH_MS, signal });
    if (typeof told === "object" || signal.aborted) return told === RELEASED ? undefined : told;
    // Not woken in time, or the watch has failed: the record has the truth.
    const present = await lookUp(record.id, this.#parts, SHOWN_BEFORE)
      .catch((error) => void this.#failed(error));
    if (present !== undefined && enough(present)) return present;
    if (clock.now() - begun < SOCKET_WATCH_MS) await pause(clock, STORE_RETRY_MS, signal);
    return undefined;
  }

  #takeRoom(bytes: number): GiveBack | undefined {
    const { socketAnswers } = this.#parts;
    // There is no queue here: a claim on all that an owner may have would wait for ever.
    return socketAnswers.take(this.#opener.owner, Math.min(bytes, socketAnswers.most / 2));
  }

  #frameOf(record: Finished): Promise<string> {
    return receiptOf(record, this.#parts).then(
      (receipt) => JSON.stringify(receipt),
      (error) => problemText(this.#failed(error), { instance: record.id }),
    );
  }

  /** Logs a failure as over HTTP; returns the problem code to send to the client. */
  #failed(error: unknown): ProblemCode {
    const { method, path } = this.#opener.call;
    return noteFailure(error, { method, path }, this.#parts);
  }
}

const NOT_TEXT: CloseReason = { code: 1003, reason: "Only text frames are read" };
const TOO_BIG: CloseReason = { code: 1009, reason: "The frame is too large" };
const TOO_MUCH: CloseReason = { code: 1013, reason: "Too much is being received" };
const TOO_MANY: CloseReason = { code: 1008, reason: "Too much is open on this socket" };
const TOO_SLOW: CloseReason = { code: 1008, reason: "Too much was left unread for too long" };

/** The one of two states of an export that shows more; the first if they show the same. */
function newer(record: ExportRecord, other: ExportRecord = record): ExportRecord {
  return isPast(other, wireState(record)) ? other : record;
}
