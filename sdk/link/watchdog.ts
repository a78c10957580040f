/** Notices that the machine has slept: a timer that comes much later than it was asked for. */
import type { Clock, Timers } from "#protocol/ports.ts";

const INTERVAL_MS = 5000;
/** A busy machine is late as well, but not by that much. */
const LATE_MS = 10_000;

/** Calls `slept` soon after each sleep; the answer ends that. */
export function watchForSleep(clock: Clock, timers: Timers, slept: () => void): () => void {
  let cancel = () => {};
  const watch = () => {
    const asked = clock.now();
    cancel = timers.after(INTERVAL_MS, () => {
      watch();
      if (clock.now() - asked > INTERVAL_MS + LATE_MS) slept();
    });
  };
  watch();
  return () => cancel();
}
