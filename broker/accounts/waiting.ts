/** Long polls: whoever asks for what isn't there yet waits for a word, so many at once and so long at most. */
import type { Timers } from "#protocol/ports.ts";
import { slowDown } from "./throttle.ts";

export type Waiting = {
  /**
   * Looks, and again at each word about `key`, until something is found; null when `ms` are over, the asker has gone, or
   * `end` was called. @throws slow_down when too many wait already
   */
  until<T>(
    key: string,
    { ms, gone }: { ms: number; gone: AbortSignal },
    look: () => Promise<T | null>,
  ): Promise<T | null>;
  tell(key: string): void;
  /** Nobody waits any more, now or later. */
  end(): void;
};

const COME_BACK_MS = 5000;

type Seat = { wake(): void; leave(): void };

export function createWaiting(timers: Timers, most: { perKey: number; all: number }): Waiting {
  const seats = new Map<string, Set<Seat>>();
  let count = 0;
  let ended = false;

  const sit = (key: string, wake: () => void): Seat => {
    const around = seats.get(key) ?? new Set();
    if (around.size >= most.perKey || count >= most.all) {
      throw slowDown("Too many wait for the same already.", COME_BACK_MS);
    }
    seats.set(key, around);
    count++;
    const seat = {
      wake,
      leave() {
        around.delete(seat);
        count--;
        if (around.size === 0 && seats.get(key) === around) seats.delete(key);
      },
    };
    around.add(seat);
    return seat;
  };

  return {
    async until(key, { ms, gone }, look) {
      if (ms === 0 || ended) return look();
      let word = Promise.withResolvers<void>();
      let isOver = gone.aborted;
      // Before the first look, so that no word in between is lost.
      const seat = sit(key, () => word.resolve());
      const finish = () => {
        isOver = true;
        word.resolve();
      };
      const cancel = timers.after(ms, finish);
      gone.addEventListener("abort", finish, { once: true });
      try {
        for (;;) {
          word = Promise.withResolvers<void>();
          const isLast = isOver || ended;
          const found = await look();
          if (found !== null || isLast) return found;
          if (isOver || ended) continue;
          await word.promise;
        }
      } finally {
        cancel();
        gone.removeEventListener("abort", finish);
        seat.leave();
      }
    },
    tell(key) {
      for (const { wake } of [...(seats.get(key) ?? [])]) wake();
    },
    end() {
      ended = true;
      for (const around of seats.values()) for (const { wake } of around) wake();
    },
  };
}
