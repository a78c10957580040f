/** How fast a client is written to: within what it takes of one sender, 30 at once and one each two seconds after that. */
import type { Clock } from "#protocol/ports.ts";

/** Well below it, since a daemon that starts anew doesn't know what its former life has written. */
const BURST = 10;
const REFILL_MS = 2500;

export type Pace = {
  /** Ms until the next may go; 0 for now. */
  wait(): number;
  take(): void;
};

export function createPace({ now }: Clock): Pace {
  let tokens = BURST;
  let at = now();
  const refill = () => {
    const more = Math.floor((now() - at) / REFILL_MS);
    tokens = Math.min(BURST, tokens + more);
    at = tokens === BURST ? now() : at + more * REFILL_MS;
  };
  return {
    wait() {
      refill();
      return tokens > 0 ? 0 : Math.max(1, Math.ceil(at + REFILL_MS - now()));
    },
    take() {
      refill();
      tokens--;
    },
  };
}
