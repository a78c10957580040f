/** How often something may be done under one key, such as an address, in a span of time. */
import type { Clock } from "#protocol/ports.ts";

/** So many keys are told apart at most; when all of them count still, nobody new is let through. */
const MOST_KEYS = 20_000;

export type Rate = {
  /** Counts it; false beyond what may be. */
  take(key: string): boolean;
};

export function createRate(clock: Clock, most: number, spanMs: number): Rate {
  const spans = new Map<string, { began: number; count: number }>();

  const forgetOld = (now: number) => {
    for (const [key, { began }] of spans) if (began + spanMs <= now) spans.delete(key);
  };

  return {
    take(key) {
      const now = clock.now();
      const known = spans.get(key);
      const span = known && known.began + spanMs > now ? known : { began: now, count: 0 };
      if (!known && spans.size >= MOST_KEYS) forgetOld(now);
      if (span.count >= most || (!known && spans.size >= MOST_KEYS)) return false;
      span.count++;
      spans.set(key, span);
      return true;
    },
  };
}
