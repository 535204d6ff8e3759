/**
 * Every number that bounds what others may take, or how long somebody waits, with its reason.
 * Numbers an operator may change are the defaults of `config.ts`; the rest are fixed here. Measures
 * that nobody outside of one file meets stand in that file; four rooms have their own.
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
 * A JSON string may take more bytes than what it says: twice as many where all is quotes, three times
 * where all letters of two bytes are written as `\uXXXX`.
 */
export const BODY_ESCAPE_FACTOR = 3;
/** Largest payload and answer an operator may allow: 160 parts, still one commit of deletions. */
export const PAYLOAD_BYTES_CEILING = 10 * MIB;
/** Bounds of bodies in progress begin here: one of the largest that can be permitted fits in. */
export const RECEIVING_BYTES_FLOOR = 31 * MIB;
/** A body that says it is no longer takes none of them: slow ones must not keep out every request. */
export const UNCOUNTED_BODY_BYTES = 16 * KIB;
/** When to come back with too much open; deliveries that are due are tried within this. */
export const OPEN_RETRY_SECONDS = 30;

/** Parts that a body or an answer may come in however small they are: a byte each, for a while. */
export const SMALL_PARTS_MAX = 1_024;
/** Bytes of the parts beyond these, on average; servers that stream send words, at least. */
export const PART_BYTES_MIN = 16;

// Responses.

/** Answers of destinations up to this are sent as a whole: all polls of all owners may hold one. */
export const SMALL_ANSWER_BYTES = 16 * KIB;
/** JSON takes so many for one byte of an answer at most: those of a control character's escape. */
export const JSON_BYTES_PER_BYTE = 6;
/** Bytes of JSON with larger ones on their way to polls at once, and as many to sockets. */
export const ANSWERS_BYTES_MAX = 64 * MIB;
/** Of these, for one owner. */
export const ANSWERS_BYTES_PER_OWNER_MAX = 32 * MIB;
/** Polls that wait for room among them: as many as may wait for a change, by default. */
export const ANSWERS_WAITING_MAX = 4_096;
export const ANSWERS_WAITING_PER_OWNER_MAX = 2_048;
/** How long they wait: whoever reads has read a MiB in a moment. */
export const ANSWER_WAIT_MS = 5 * SECOND;
/**
 * A client that reads nothing for so long loses the rest of its response. The system takes 4 MiB for
 * it at once, and nothing moves until it has read some of that: at 300 kbit/s that is within this.
 */
export const RESPONSE_STALL_MAX_MS = 2 * MINUTE;

// Long polls.

/** Wait of a long poll that asks for none or for nonsense (contract 1.9). */
export const POLL_DEFAULT_MS = 5 * SECOND;
/** Longest wait of a long poll: below the idle limits of common proxies. */
export const POLL_MAX_MS = 60 * SECOND;

// Attempts.

/** TCP connect and TLS handshake; a healthy destination needs well under a second. */
export const CONNECT_TIMEOUT_MS = 5 * SECOND;
/** A connection waits so long for its lane's next export; common servers close after 5 s. */
export const KEEP_IDLE_MS = 4 * SECOND;
/** A connection grows this old at most, so that a certificate that ran out is noticed. */
export const KEEP_AGE_MS = 5 * MINUTE;
/** Connections that wait: of twice as many lanes as are worked at once, for those that take turns. */
export const KEPT_CONNECTIONS_MAX = 256;
/** Name resolution; resolvers retry within this. */
export const RESOLVE_TIMEOUT_MS = 5 * SECOND;
/** Destinations whose spelling is not judged anew each time; more than a box has, 1 MiB at most. */
export const VERDICTS_MAX = 256;
/** Addresses of one name: large services have under twenty, and each is one more to try. */
export const ADDRESSES_MAX = 64;
/** Header bytes of a destination's answer; common servers send under 8 KiB. */
export const ANSWER_HEADER_BYTES_MAX = 64 * KIB;
/** Interim answers (1xx) before the answer; a server sends one or two, and each costs an object. */
export const INTERIM_ANSWERS_MAX = 16;
/** Bytes on the wire per byte of an answer: even in chunks of one byte each takes six. */
export const ANSWER_WIRE_FACTOR = 8;
/** Time kept between the end of an attempt and the end of its lease, for the settling commit. */
export const LEASE_MARGIN_MS = 15 * SECOND;
/** Delays before attempts 2, 3, 4 …; the last one repeats. README tells them to users. */
export const BACKOFF_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
];
/** Each delay varies by this share either way, so that lanes do not retry in step. */
export const BACKOFF_JITTER = 0.2;
/** Longest wait that a destination may ask for with `Retry-After`: the longest delay of ours. */
export const RETRY_AFTER_MAX_MS = 30 * MINUTE;
/** Failures in a row, of any lanes, after which a host counts as unreachable. */
export const HOST_FAILURES_MAX = 5;
/** An unreachable host is tried again this long after it was last tried, by one export. */
export const HOST_PROBE_INTERVAL_MS = 30 * SECOND;
/** Failing hosts that are remembered; the one that failed longest ago is forgotten first. */
export const HOSTS_REMEMBERED_MAX = 1_000;
/** Wait before a lane is looked at again after the store failed under it. */
export const STORE_RETRY_MS = SECOND;
/** Wait before a payload is read again that could not be: a line of the log each time. */
export const PAYLOAD_RETRY_MS = 5 * SECOND;
/** Of so many tries on a failing store one is logged: a line a minute, where the log's disk may be full. */
export const STORE_RETRIES_PER_LINE = 60;
/** Lanes looked at at once: more would wait for the store, and keep hands from what is submitted. */
export const LOOKS_MAX = 16;
/** How often, while a lane waits, it is checked whether the clock was changed. */
export const LOOK_AGAIN_MAX_MS = MINUTE;
/** A clock that differs by more from what a timer says was changed; a busy process is late by less. */
export const CLOCK_CHANGE_MS = 2 * SECOND;

// The store. Deno KV's own limits decide most of these.

/** A KV value holds 64 KiB; a `Uint8Array` is stored raw, so a part of much may use them all. */
export const PART_BYTES = 64 * KIB;
/** Parts that travel in the accepting or settling commit itself; more are staged before it. */
export const PARTS_IN_COMMIT = 4;
/** Staged parts older than this belong to a submission that was never accepted. */
export const STAGING_MAX_MS = 10 * MINUTE;
/** Refusals of one owner, or of all strangers, entered in the ledger a minute; the rest are counted. */
export const REFUSALS_LEDGERED_PER_MINUTE = 60;
/** Owners who have that bound to themselves in a minute; more share that of strangers. */
export const REFUSED_OWNERS_PER_MINUTE = 16;
/** Lines of the log a minute of one event that clients bring about without a bound of its own. */
export const PACED_LINES_PER_MINUTE = 60;
/** Largest floor of free space that can be asked for: 1 TiB. */
export const FREE_SPACE_FLOOR_CEILING = 1_024 * 1_024 * MIB;
/** Characters kept of a refused destination's host: the longest name of DNS, and a port. */
export const REFUSED_HOST_CHARS_MAX = 260;
/** Wait for the store's answer before the service says that it is not ready. */
export const READY_TIMEOUT_MS = 2 * SECOND;
/** How long that answer is given to whoever asks: it takes a commit, and asking takes no token. */
export const READY_WORTH_MS = 1 * SECOND;

// Stopping.

/**
 * From SIGTERM to exit; what is still in flight then is left to its lease. Container engines kill
 * after 10 s, and leaving takes a moment too.
 */
export const STOP_TIMEOUT_MS = 9.5 * SECOND;
/** Of that, how long running attempts may go on; the rest is for settling and closing. */
export const STOP_GRACE_MS = 8 * SECOND;

/** Defaults of what an operator may change; how far, say `config.ts` and `limit_settings.ts`. */
export const DEFAULTS = {
  port: 8_080,
  payloadBytesMax: MIB,
  answerBytes: MIB,
  retentionMs: DAY,
  /** What the lanes worked at once can still need: an answer each, at their default limit. */
  freeSpaceFloorBytes: 128 * MIB,
  /** Apps keep their tokens for as long as they live, and few live longer than a week. */
  secretGraceMs: 7 * DAY,
  giveUpAfterMs: DAY,
  attemptTimeoutMs: 30 * SECOND,
  /** Lanes worked at once: with the default limits at most 256 MiB of payloads and answers. */
  parallel: 128,
  /** Of these, to one host and port: a slow one leaves half of the places to others. */
  parallelPerHost: 64,
  /** Ours have under 100, and a destination travels in the body. */
  urlChars: 8 * KIB,
  /** The longest token as a user name takes 11 KiB. The runtime stops at 64 KiB. */
  headerBytes: 32 * KIB,
  /** Common parsers stop here too. */
  jsonDepth: 128,
  /** From a request's head to the last byte of its body: 2 MiB in it take half a Mbit/s. */
  bodyTimeoutMs: 30 * SECOND,
  /** Bytes of bodies received at once; one owner gets half, so that slow ones keep nobody out. */
  receivingBytes: 128 * MIB,
  receivingBytesPerOwner: 64 * MIB,
  /** Polls that wait: up to some 50 KB each with their connection, 200 MB together. */
  polls: 4_096,
  pollsPerOwner: 2_048,
  /** Open sockets: apps need one each; one whose client does not read takes up to 360 KB. */
  sockets: 512,
  socketsPerOwner: 64,
  /** Exports of one owner accepted and not finished: one every 10 s for a day without a line. */
  openExports: 10_000,
  /** Bytes of them: a few busy owners fit on a small disk. */
  openBytes: 256 * MIB,
  /**
   * Bytes that an owner's exports leave in the store in a day: 900,000 small ones, or 2,000 answers of
   * 1 MiB; weeks until a disk of 64 GB is full.
   */
  storedBytesPerDay: 2_048 * MIB,
  /** Requests of one owner: about what one process serves, so that only a runaway app meets it. */
  requestsPerSecond: 10_000,
} as const;

// WebSockets.

/** Frames not answered and exports not finished on one socket; a watch of an export takes 12 KB. */
export const SOCKET_EXPORTS_MAX = 256;
/**
 * While sockets are open the process may grow, outside its heap, by this many times what may be received
 * at once: bodies that come take twice as much. Beyond that clients of sockets are taken to send
 * messages without an end, and all are ended.
 */
export const SOCKETS_MEMORY_FACTOR = 3;
/** How often that is looked at: on one machine 30 MB can come within this. */
export const SOCKET_MEMORY_LOOK_MS = 100;
/** Frames of one socket in progress at once: enough for them to share a commit. */
export const SOCKET_FRAMES_IN_PROGRESS_MAX = 16;
/** Frames of the largest size that may wait on one socket: the runtime reads on whatever we do. */
export const SOCKET_LARGEST_FRAMES_WAITING = 8;
/**
 * Unsent bytes on one socket above which its client is slow: nothing more is sent or begun then. The
 * system takes some MiB before any is unsent.
 */
export const SOCKET_BUFFERED_BYTES_MAX = 256 * KIB;
/** A client that is slow for so long is sent away; an ordinary line takes as much in a second. */
export const SOCKET_SLOW_MAX_MS = 30 * SECOND;
/** A client that has something to read is looked at again after this; nothing tells when bytes have left. */
export const SOCKET_LOOK_AGAIN_MS = 25;
/** Frames, pongs too, that a client may send before the event loop comes round: all that it has room for. */
export const SOCKET_FRAMES_A_TURN_MAX = 4_096;
/** Until a socket that is to be closed is silent; who reads at all has read a MiB by then. */
export const SOCKET_QUIET_MAX_MS = 1 * SECOND;
/** From our Close to the client's: whoever is there answers in one round. */
export const SOCKET_CLOSE_MAX_MS = 5 * SECOND;
/** A silent client is pinged, and left without an answer after this: dead lines are noticed. */
export const SOCKET_IDLE_SECONDS = 30;
/** The record is read again after this without news, so that a lost change is told late, not never. */
export const SOCKET_WATCH_MS = MINUTE;
