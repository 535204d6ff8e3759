/**
 * Every number that bounds what others may take, or how long somebody waits, with its reason.
 * Numbers an operator may change are the defaults of `config.ts`; the rest are fixed here. A number
 * that matters to one file only is in that file; four rooms have a limits file of their own.
 */

const KIB = 1_024;
const MIB = 1_024 * KIB;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Requests.

/** Characters of a destination; longer ones are refused by common servers too. */
export const DESTINATION_CHARS_MAX = 2 * KIB;
/** Characters of an `Idempotency-Key`; a UUID has 36. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 255;
/** How long an `Idempotency-Key` is remembered, as README promises. */
export const IDEMPOTENCY_RETENTION_MS = 24 * HOUR;
/** Bytes around `data` in a request body: the longest `uri`, escaped, and the other members. */
export const BODY_ENVELOPE_BYTES = 16 * KIB;
/**
 * A JSON string may take more bytes than the text it holds: twice as many if that is all quotes,
 * three times if all its two-byte characters are written as `\uXXXX`.
 */
export const BODY_ESCAPE_FACTOR = 3;
/** Largest payload or answer an operator may allow: 160 parts, still deleted in one commit. */
export const PAYLOAD_BYTES_CEILING = 10 * MIB;
/** Smallest bound on bodies in progress that may be set: the largest permissible one fits in. */
export const RECEIVING_BYTES_FLOOR = BODY_ESCAPE_FACTOR * PAYLOAD_BYTES_CEILING + MIB;
/** Bodies declared no longer than this have places of their own: slow ones keep nobody out. */
export const SHORT_BODY_BYTES = 16 * KIB;
/** Short bodies being received at once, or as many as polls may wait; 64 MiB of them. */
export const SHORT_BODIES_MAX = 4_096;
/** Of these, of one owner. */
export const SHORT_BODIES_PER_OWNER_MAX = 1_024;
/** When to retry with too much open; deliveries that are due are attempted within this time. */
export const OPEN_RETRY_SECONDS = 30;

/** Parts of bodies after which others get a turn: the runtime lets no timer run between them. */
export const BODY_PARTS_A_TURN = 128;
/** A shorter one counts as several: the runtime moves the rest of what it received for each. */
export const LONG_PART_BYTES = 16 * KIB;
export const SHORT_PART_COST_MAX = 32;

// Responses.

/** Answers of destinations up to this are sent whole: every poll of every owner may hold one. */
export const SMALL_ANSWER_BYTES = 16 * KIB;
/** Most bytes that JSON takes for one byte of an answer: those of an escaped control character. */
export const JSON_BYTES_PER_BYTE = 6;
/** Bytes of JSON with larger answers in flight to polls at once, and as many again to sockets. */
export const ANSWERS_BYTES_MAX = 64 * MIB;
/** The most of these for one owner. */
export const ANSWERS_BYTES_PER_OWNER_MAX = 32 * MIB;
/** Polls that may wait for such room: by default as many as may wait for a change. */
export const ANSWERS_WAITING_MAX = 4_096;
export const ANSWERS_WAITING_PER_OWNER_MAX = 2_048;
/** How long they wait: a client that reads at all reads a MiB in a moment. */
export const ANSWER_WAIT_MS = 5 * SECOND;
/**
 * A client that reads nothing for this long loses the rest of its response. The system buffers
 * 4 MiB, and nothing moves until the client has read some of that: within this time at 300 kbit/s.
 */
export const RESPONSE_STALL_MAX_MS = 2 * MINUTE;

// Long polls.

/** Wait of a long poll whose `timeout` is absent or nonsense (contract 1.9). */
export const POLL_DEFAULT_MS = 5 * SECOND;
/** Longest wait of a long poll, which a proxy in between must allow. */
export const POLL_MAX_MS = 60 * SECOND;

// Attempts.

/** TCP connect and TLS handshake; a healthy destination needs well under a second. */
export const CONNECT_TIMEOUT_MS = 5 * SECOND;
/** How long a connection waits for its lane's next export; common servers close after 5 s. */
export const KEEP_IDLE_MS = 4 * SECOND;
/** Maximum age of a connection, so that an expired certificate is noticed. */
export const KEEP_AGE_MS = 5 * MINUTE;
/** Connections that wait: for twice as many lanes as are worked at once, as lanes take turns. */
export const KEPT_CONNECTIONS_MAX = 256;
/** Name resolution; resolvers retry within this. */
export const RESOLVE_TIMEOUT_MS = 5 * SECOND;
/** Destinations whose verdict is remembered: more than a box has, 1 MiB at most. */
export const VERDICTS_MAX = 256;
/** Addresses of one name: large services have under twenty, and each is one more to try. */
export const ADDRESSES_MAX = 64;
/** Header bytes of a destination's answer; common servers send under 8 KiB. */
export const ANSWER_HEADER_BYTES_MAX = 64 * KIB;
/** Interim answers (1xx) before the answer; a server sends one or two, and each costs an object. */
export const INTERIM_ANSWERS_MAX = 16;
/** Bytes on the wire per byte of an answer: even one sent in one-byte chunks needs only six. */
export const ANSWER_WIRE_FACTOR = 8;
/** Parts of an answer, however small: each takes as much time as thousands of bytes. */
export const ANSWER_SMALL_PARTS_MAX = 16_384;
/** Parts of an answer after which others get a turn. */
export const ANSWER_PARTS_A_TURN = 64;
/** Bytes of an answer that permit one part more. */
export const ANSWER_PART_BYTES = 16;
/** Time kept between the end of an attempt and the end of its lease, for the settling commit. */
export const LEASE_MARGIN_MS = 15 * SECOND;
/** Delays before attempts 2, 3, 4 …; the last one repeats. README documents them. */
export const BACKOFF_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
];
/** Each delay varies by this share either way, so that lanes do not retry in step. */
export const BACKOFF_JITTER = 0.2;
/** Longest wait that a destination may ask for with `Retry-After`: our own longest delay. */
export const RETRY_AFTER_MAX_MS = 30 * MINUTE;
/** Attempts in a row that a host did not answer, across all lanes, until it is unreachable. */
export const HOST_FAILURES_MAX = 5;
/** Time from the last attempt on an unreachable host to the next one, made by a single export. */
export const HOST_PROBE_INTERVAL_MS = 30 * SECOND;
/** Failing hosts that are remembered; the one that failed longest ago is forgotten first. */
export const HOSTS_REMEMBERED_MAX = 1_000;
/** Wait before trying again after the store has failed. */
export const STORE_RETRY_MS = SECOND;
/** Wait before another try to read a payload that could not be read; each try logs a line. */
export const PAYLOAD_RETRY_MS = 5 * SECOND;
/** Tries on a failing store per line: one a minute for each hand, as the log's disk may be full. */
export const STORE_RETRIES_PER_LINE = 60;
/** Lanes looked up at once: more would queue for the store, in places that new exports need. */
export const LOOKS_MAX = 16;
/** How often, while a lane waits, the clock is checked for a change. */
export const LOOK_AGAIN_MAX_MS = MINUTE;
/** A clock off from a timer by more than this was changed; a busy process is late by less. */
export const CLOCK_CHANGE_MS = 2 * SECOND;

// The store, refusals and health.

/** A KV value holds 64 KiB; a `Uint8Array` is stored raw, so a part may fill it completely. */
export const PART_BYTES = 64 * KIB;
/** Parts that travel in the accepting or settling commit itself; more are staged before it. */
export const PARTS_IN_COMMIT = 4;
/** Staged parts older than this belong to a submission that was never accepted. */
export const STAGING_MAX_MS = 10 * MINUTE;
/** Refusals of one owner, or of all strangers, put in the ledger a minute; the rest are counted. */
export const REFUSALS_LEDGERED_PER_MINUTE = 60;
/** Owners with that bound to themselves in a minute; further ones share the strangers' bound. */
export const REFUSED_OWNERS_PER_MINUTE = 16;
/** Log lines a minute for one event that clients can cause and that has no bound of its own. */
export const THROTTLED_LINES_PER_MINUTE = 60;
/** Largest floor of free space that can be set: 1 TiB. */
export const FREE_SPACE_FLOOR_CEILING = 1_024 * 1_024 * MIB;
/** Characters kept of a refused destination's host: the longest DNS name, and a port. */
export const REFUSED_HOST_CHARS_MAX = 260;
/** Wait for the store's answer before the service says that it is not ready. */
export const READY_TIMEOUT_MS = 2 * SECOND;
/** How long that answer is reused: it takes a commit, and asking for it takes no token. */
export const READY_CACHE_MS = 1 * SECOND;

// Stopping.

/**
 * From SIGTERM to exit; what is still in flight then is left to its lease. Container engines kill
 * after 10 s, and exiting takes a moment too.
 */
export const STOP_TIMEOUT_MS = 9.5 * SECOND;
/** How much of that running attempts may use; the rest is for settling and closing. */
export const STOP_GRACE_MS = 8 * SECOND;

/** Defaults of what an operator may change; `config.ts` and `limit_settings.ts` give the ranges. */
export const DEFAULTS = {
  port: 8_080,
  payloadBytesMax: MIB,
  answerBytes: MIB,
  retentionMs: DAY,
  /** What the lanes worked at once may still need: an answer each, of the default maximum size. */
  freeSpaceFloorBytes: 128 * MIB,
  /** Apps keep their tokens for as long as they run, and few run for longer than a week. */
  secretGraceMs: 7 * DAY,
  giveUpAfterMs: DAY,
  attemptTimeoutMs: 30 * SECOND,
  /** Lanes worked at once: by default at most 384 MiB, a payload, the next one and an answer each. */
  parallel: 128,
  /** The most of these for one host and port: a slow one leaves half of the places to others. */
  parallelPerHost: 64,
  /** Our own URLs have under 100, and a destination travels in the body. */
  urlChars: 8 * KIB,
  /** The longest token, sent as a user name, takes 11 KiB. The runtime's own limit is 64 KiB. */
  headerBytes: 32 * KIB,
  /** Common parsers stop here too. */
  jsonDepth: 128,
  /** From a request's head to the last byte of its body: 2 MiB in that time take half a Mbit/s. */
  bodyTimeoutMs: 30 * SECOND,
  /** Bytes of bodies received at once; one owner gets half, so that slow ones block nobody else. */
  receivingBytes: 128 * MIB,
  receivingBytesPerOwner: 64 * MIB,
  /** Polls that wait: up to about 50 KB each with their connection, 200 MB together. */
  polls: 4_096,
  pollsPerOwner: 2_048,
  /** Open sockets: apps need one each; one whose client does not read takes up to 360 KB. */
  sockets: 512,
  socketsPerOwner: 64,
  /** Exports of one owner accepted and not finished: one every 10 s for a day offline. */
  openExports: 10_000,
  /** Bytes of these: a few busy owners fit on a small disk. */
  openBytes: 256 * MIB,
  /**
   * Bytes that an owner's exports may leave in the store in a day: 900,000 small exports, or 2,000
   * answers of 1 MiB. A disk of 64 GB takes weeks to fill.
   */
  storedBytesPerDay: 2_048 * MIB,
  /** Requests of one owner: about what one process serves; only a runaway app gets that far. */
  requestsPerSecond: 10_000,
} as const;

// WebSockets.

/** Unanswered frames and unfinished exports on one socket; watching an export takes 12 KB. */
export const SOCKET_EXPORTS_MAX = 256;
/**
 * While sockets are open, polls wait or bodies come, the process may grow outside its heap by this
 * many times what may be received at once; bodies alone take twice as much. Beyond that, a client is
 * assumed to be sending what the runtime keeps without a bound, and all of that kind are ended.
 */
export const MEMORY_GROWTH_FACTOR = 3;
/** How often that is checked: on one machine 30 MB can arrive in between. */
export const MEMORY_LOOK_MS = 100;
/** Frames of one socket in progress at once: enough for them to share a commit. */
export const SOCKET_FRAMES_IN_PROGRESS_MAX = 16;
/** Frames of the largest size that may wait on one socket: the runtime reads on regardless. */
export const SOCKET_LARGEST_FRAMES_WAITING = 8;
/**
 * Unsent bytes on one socket above which its client is slow: nothing more is sent or begun then.
 * The system buffers some MiB before any byte counts as unsent.
 */
export const SOCKET_BUFFERED_BYTES_MAX = 256 * KIB;
/** A client slow for this long is disconnected; an ordinary line takes as much in a second. */
export const SOCKET_SLOW_MAX_MS = 30 * SECOND;
/** How often a client with something to read is checked: no event says that bytes have left. */
export const SOCKET_LOOK_AGAIN_MS = 25;
/** Frames, pongs included, from a client in one turn of the event loop: far above any burst. */
export const SOCKET_FRAMES_A_TURN_MAX = 4_096;
/** Longest wait for silence before a Close: a client that reads at all has read a MiB by then. */
export const SOCKET_QUIET_MAX_MS = 1 * SECOND;
/** From our Close to the client's: a client that is still there answers within a round trip. */
export const SOCKET_CLOSE_MAX_MS = 5 * SECOND;
/** A client silent for this long, despite a ping, is dropped: dead connections are noticed. */
export const SOCKET_IDLE_SECONDS = 30;
/** Without news for this long, the record is read again: a lost change comes late, not never. */
export const SOCKET_WATCH_MS = MINUTE;
