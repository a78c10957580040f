/** Real time and real randomness. */
import { randomBytes } from "node:crypto";
import type { Clock, Random, Timers } from "#protocol/ports.ts";

export const systemClock: Clock = {
  now: () => performance.timeOrigin + performance.now(),
};

export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  soon(run) {
    setImmediate(run);
  },
};

export const systemRandom: Random = (length) => new Uint8Array(randomBytes(length));
