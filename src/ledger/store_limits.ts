/**
 * The limits that apply in this room alone, each with its reason. Deno KV's own limits decide most
 * of these.
 */

const KIB = 1_024;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/**
 * Bytes of a value whose row fits in one page of the store's file. SQLite keeps 1,002 bytes of a
 * row there, key and numbers included, and reads the rest of longer rows to compare their keys.
 */
export const ROW_BYTES_MAX = 896;
/** Of these, the most a record takes without its URL: its ids and digest have fixed lengths. */
export const RECORD_BYTES_MAX = { unfinished: 416, finished: 528 } as const;
/** What a record and its keys take, without its URL. */
export const RECORD_AND_KEYS_BYTES = KIB;
/** What a ledger entry takes, without its path. */
export const ENTRY_BYTES = 384;
/** Mutations of one shared commit (KV: 1,000, enqueues included). */
export const COMMIT_MUTATIONS_MAX = 900;
/** Checks of one shared commit (KV: 100). */
export const COMMIT_CHECKS_MAX = 100;
/** Bytes of one shared commit, keys counted twice as KV does (KV: 800 KiB). */
export const COMMIT_BYTES_MAX = 640 * KIB;
/** Key bytes of one shared commit (KV: 80 KiB). */
export const COMMIT_KEY_BYTES_MAX = 64 * KIB;
/** Durable wake-ups fall on multiples of this, so that a busy lane needs one a second at most. */
export const WAKE_UP_GRAIN_MS = SECOND;
/** The longest delay that KV's queue accepts; only a clock that was put back asks for more. */
export const WAKE_UP_DELAY_MAX_MS = 30 * 24 * 60 * MINUTE;
/** Exports also kept in memory for polls that come soon: some seconds' worth on a busy box. */
export const RECENT_EXPORTS_MAX = 8_192;
/** Longest answer kept with them: with their records, 56 MiB in total at the very most. */
export const RECENT_ANSWER_BYTES_MAX = 4 * KIB;
/** Exports also kept in memory until a hand is free for them: as many as in common bursts. */
export const NEXT_IN_LANE_MAX = 2_048;
/** Longest payload kept with them: with their records, 16 MiB in total at the very most. */
export const NEXT_IN_LANE_BYTES_MAX = 4 * KIB;
/** Finished exports are removed up to this long after their retention, spread to avoid stalls. */
export const EXPIRY_SPREAD_MS = 5 * MINUTE;
/** Exports that finish within this are removed together: some hundreds at most. */
export const EXPIRY_TOGETHER_MS = 100;
