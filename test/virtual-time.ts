/** Time that passes when a test says so. */
import type { Clock, Timers } from "#protocol/ports.ts";

export type VirtualTime = {
  clock: Clock;
  timers: Timers;
  /** Runs what falls due on the way, in order, and lets promises settle in between. */
  pass(ms: number): Promise<void>;
  /** The machine sleeps: the wall goes on, timers don't. */
  sleep(ms: number): void;
};

export function createVirtualTime(): VirtualTime {
  let wall = 1_750_000_000_000;
  /** What timers go by. */
  let awake = 0;
  const due = new Set<{ at: number; run(): void }>();

  const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
  const first = () => [...due].sort((a, b) => a.at - b.at)[0];

  return {
    clock: { now: () => wall },
    timers: {
      after(ms, run) {
        const timer = { at: awake + ms, run };
        due.add(timer);
        return () => void due.delete(timer);
      },
      soon: (run) => void setImmediate(run),
    },
    async pass(ms) {
      const end = awake + ms;
      for (let next = first(); next && next.at <= end; next = first()) {
        wall += next.at - awake;
        awake = next.at;
        due.delete(next);
        next.run();
        await settle();
      }
      wall += end - awake;
      awake = end;
      await settle();
    },
    sleep(ms) {
      wall += ms;
    },
  };
}
