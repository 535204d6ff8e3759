/**
 * Time as an argument. The rooms are given a {@link Clock}; apart from commands, which are
 * processes of their own, only this file reads the machine's clock or sets a timer. Never decides
 * anything.
 */

/** What a room may know of time. */
export interface Clock {
  /** Wall-clock time, milliseconds since the epoch. */
  now(): number;
  /**
   * Calls `action` once after `ms` milliseconds, regardless of changes to the wall clock, unless
   * the returned function is called first.
   */
  after(ms: number, action: () => void): () => void;
}

/** The machine's clock; a wait of a second or more may take up to {@link SLOT_MS} longer. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, action) => ms < SHARED_FROM_MS ? timer(ms, action) : sharedTimer(ms, action),
};

function timer(ms: number, action: () => void): () => void {
  const id = setTimeout(action, ms);
  return () => clearTimeout(id);
}

const SHARED_FROM_MS = 1_000;
const SLOT_MS = 100;

/** The actions due at the end of a slot, and the timer they share. */
interface Slot {
  readonly actions: Set<Once>;
  readonly cancel: () => void;
}

/** Gives each wait an identity: the same action may wait twice. */
interface Once {
  readonly action: () => void;
}

const slots = new Map<number, Slot>();

/**
 * Long waits are deadlines, and nearly all are cancelled well before they expire. Those due within
 * the same {@link SLOT_MS} share a timer, which costs more than remembering an action.
 */
function sharedTimer(ms: number, action: () => void): () => void {
  const now = performance.now();
  const end = Math.ceil((now + ms) / SLOT_MS) * SLOT_MS;
  const slot = slots.get(end) ?? openSlot(end, end - now);
  const once = { action };
  slot.actions.add(once);
  return () => {
    if (!slot.actions.delete(once) || slot.actions.size > 0) return;
    slots.delete(end);
    slot.cancel();
  };
}

function openSlot(end: number, ms: number): Slot {
  const actions = new Set<Once>();
  const cancel = timer(ms, () => {
    slots.delete(end);
    for (const once of actions) {
      actions.delete(once);
      once.action();
    }
  });
  const slot = { actions, cancel };
  slots.set(end, slot);
  return slot;
}
