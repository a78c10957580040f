/** Real time and real randomness. */
import type { Clock, Random, Timers } from "#protocol/ports.ts";

/** The two clocks differ by less than this while the machine runs and nobody sets its time. */
const DRIFT_MS = 50;

/**
 * The wall clock, with the fractions of the monotonic one. That one stands still while a laptop sleeps and knows nothing
 * of corrections: where they differ, the wall is right.
 */
export function createWallClock(wall: () => number, monotonic: () => number): Clock {
  let origin = wall() - monotonic();
  return {
    now() {
      const time = origin + monotonic();
      const off = wall() - time;
      if (Math.abs(off) < DRIFT_MS) return time;
      origin += off;
      return time + off;
    },
  };
}

export const systemClock: Clock = createWallClock(Date.now, () => performance.now());

export const systemTimers: Timers = {
  after(ms, run) {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  },
  soon(run) {
    setImmediate(run);
  },
};

/** Each call to the system's source takes as long as sealing: what is small comes from a pool, and leaves no copy there. */
const POOL_BYTES = 4096;
let pool = new Uint8Array(0);

export const systemRandom: Random = (length) => {
  if (length > POOL_BYTES / 16) return fresh(length);
  if (pool.length < length) pool = fresh(POOL_BYTES);
  const taken = new Uint8Array(pool.subarray(0, length));
  pool.fill(0, 0, length);
  pool = pool.subarray(length);
  return taken;
};

/** Of the platform itself: node:crypto takes a verb longer to load than the rest of it. */
function fresh(length: number): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(length));
}
