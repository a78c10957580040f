/** Whether a session hears: what was posted to it shows in its transcript, taken by its client and then seen by its model. */
import type { Timers } from "#protocol/ports.ts";

/** A client that hears has taken a post into its queue within this time, even while it is at work. */
const DEAF_MS = 30_000;
/** A client keeps 50 for its next turn and drops what is beyond. */
const MOST_UNSEEN = 20;

export type Hearing = {
  /** Short ids of what is posted just now. */
  posted(ids: readonly string[]): void;
  /** They weren't after all. */
  forget(ids: readonly string[]): void;
  taken(ids: readonly string[]): void;
  seen(ids: readonly string[]): void;
  /** The client is at rest: what it had queued is in a turn by now. */
  rested(): void;
  /** Whether it has enough for its next turn. */
  isFull(): boolean;
  /** Resolves to whether that one is seen within the time. */
  awaits(id: string, limitMs: number): Promise<boolean>;
  close(): void;
};

/** `deaf`: called when something wasn't taken, and when something is again. */
export function createHearing(timers: Timers, deaf: (is: boolean) => void): Hearing {
  const unseen = new Set<string>();
  const untaken = new Map<string, () => void>();
  const awaited = new Map<string, () => void>();

  const isTaken = (id: string) => {
    untaken.get(id)?.();
    untaken.delete(id);
  };

  return {
    posted(ids) {
      for (const id of ids) {
        unseen.add(id);
        isTaken(id);
        const tooLate = timers.after(DEAF_MS, () => {
          untaken.delete(id);
          deaf(true);
        });
        untaken.set(id, tooLate);
      }
    },
    forget(ids) {
      for (const id of ids) {
        isTaken(id);
        unseen.delete(id);
      }
    },
    taken(ids) {
      for (const id of ids) isTaken(id);
      if (ids.length > 0) deaf(false);
    },
    seen(ids) {
      for (const id of ids) {
        isTaken(id);
        unseen.delete(id);
        awaited.get(id)?.();
      }
    },
    rested: () => unseen.clear(),
    isFull: () => unseen.size >= MOST_UNSEEN,
    awaits: (id, limitMs) =>
      new Promise((resolve) => {
        const end = (came: boolean) => {
          cancel();
          awaited.delete(id);
          resolve(came);
        };
        const cancel = timers.after(limitMs, () => end(false));
        awaited.set(id, () => end(true));
      }),
    close() {
      for (const cancel of untaken.values()) cancel();
    },
  };
}
