/** A clock and timers that stand still until a test moves them. What is due runs in its order, at its time. */
import type { Clock, Timers } from "#protocol/ports.ts";

export type VirtualTime = {
  clock: Clock;
  timers: Timers;
  /** When the next timer is due, in ms from now; null when there is none. */
  next(): number | null;
  /** Runs the timer that is due first, at its time. False when there is none. */
  step(): boolean;
  /** Moves on and runs what falls due on the way. */
  advance(ms: number): void;
  /** The same; promises settle in between. */
  pass(ms: number): Promise<void>;
  /** The machine sleeps: the wall goes on, timers don't. */
  sleep(ms: number): void;
};

type Timer = { at: number; order: number; run: () => void };

export function createVirtualTime(): VirtualTime {
  let wall = 1_790_000_000_000;
  /** What timers go by. */
  let awake = 0;
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

  const add = (ms: number, run: () => void): Timer => {
    const timer = { at: awake + Math.max(0, ms), order: order++, run };
    timers.add(timer);
    return timer;
  };

  const after = (ms: number, run: () => void) => {
    const timer = add(ms, run);
    return () => void timers.delete(timer);
  };

  /** Needs no time to pass: it runs once promises have settled, or when time is moved before that. */
  const soon = (run: () => void) => {
    const timer = add(0, run);
    setImmediate(() => {
      if (timers.delete(timer)) run();
    });
  };

  const moveTo = (time: number) => {
    wall += Math.max(0, time - awake);
    awake = Math.max(awake, time);
  };

  const step = (): boolean => {
    const timer = first();
    if (!timer) return false;
    timers.delete(timer);
    moveTo(timer.at);
    timer.run();
    return true;
  };

  const isDue = (end: number) => (first()?.at ?? Number.POSITIVE_INFINITY) <= end;

  return {
    clock: { now: () => wall },
    timers: { after, soon },
    next() {
      const timer = first();
      return timer && timer.at - awake;
    },
    step,
    advance(ms) {
      const end = awake + ms;
      while (isDue(end)) step();
      moveTo(end);
    },
    async pass(ms) {
      const end = awake + ms;
      await settle();
      while (isDue(end)) {
        step();
        await settle();
      }
      moveTo(end);
    },
    sleep(ms) {
      wall += ms;
    },
  };
}

/** Everything that only waits for promises is done. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
