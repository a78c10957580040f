/** A clock and timers that stand still until a test moves them. What is due runs in its order, at its time. */
import type { Clock, Timers } from "#protocol/ports.ts";

export type VirtualTime = {
  clock: Clock;
  timers: Timers;
  /** Moves on by `ms` and runs what falls due on the way. */
  advance(ms: number): void;
  /** When the next timer is due; null when there is none. */
  next(): number | null;
  /** Runs the timer that is due first, at its time. False when there is none. */
  step(): boolean;
};

type Timer = { at: number; order: number; run: () => void };

export function createVirtualTime(start = 1_790_000_000_000): VirtualTime {
  let now = start;
  let order = 0;
  const timers = new Set<Timer>();

  const first = (): Timer | null => {
    let found: Timer | null = null;
    for (const timer of timers) {
      if (!found || timer.at < found.at || (timer.at === found.at && timer.order < found.order))
        found = timer;
    }
    return found;
  };

  const after = (ms: number, run: () => void) => {
    const timer = { at: now + Math.max(0, ms), order: order++, run };
    timers.add(timer);
    return () => void timers.delete(timer);
  };

  const step = (): boolean => {
    const timer = first();
    if (!timer) return false;
    timers.delete(timer);
    now = Math.max(now, timer.at);
    timer.run();
    return true;
  };

  return {
    clock: { now: () => now },
    timers: { after, soon: (run) => void after(0, run) },
    next: () => first()?.at ?? null,
    step,
    advance(ms) {
      const end = now + ms;
      for (let due = first(); due && due.at <= end; due = first()) step();
      now = end;
    },
  };
}
