/** A clock that stands still until a test moves it, and the timers that hang on it. */
import type { Clock, Timers } from "#protocol/ports.ts";

export type VirtualTime = {
  clock: Clock;
  timers: Timers;
  /** Runs what is due meanwhile, in order, each with what follows from it before the next. */
  advance(ms: number): Promise<void>;
};

export function virtualTime(start = 1_750_000_000_000): VirtualTime {
  let now = start;
  let due: { at: number; run: () => void }[] = [];

  const after = (ms: number, run: () => void) => {
    const timer = { at: now + ms, run };
    const place = due.findIndex(({ at }) => at > timer.at);
    due.splice(place < 0 ? due.length : place, 0, timer);
    return () => {
      due = due.filter((one) => one !== timer);
    };
  };

  return {
    clock: { now: () => now },
    timers: { after, soon: (run) => void after(0, run) },
    async advance(ms) {
      const end = now + ms;
      await settled();
      for (let next = due[0]; next && next.at <= end; next = due[0]) {
        due.shift();
        now = Math.max(now, next.at);
        next.run();
        await settled();
      }
      now = end;
    },
  };
}

/** All that promises have set in motion has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
