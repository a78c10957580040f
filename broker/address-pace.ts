/** How often an address may ask: a token bucket each, forgotten once it is full again. */
import type { Clock } from "#protocol/ports.ts";

export type AddressPace = {
  /** 0 when it may, else the ms until it may. */
  take(address: string): number;
};

type Bucket = { left: number; at: number };

/** `most`: addresses remembered; beyond it the one that asked longest ago is taken for a new one. */
export function createAddressPace(
  clock: Clock,
  { perSecond, burst, most = 50_000 }: { perSecond: number; burst: number; most?: number },
): AddressPace {
  /** In the order in which they asked last. */
  const buckets = new Map<string, Bucket>();
  const refilled = ({ left, at }: Bucket, now: number) =>
    Math.min(burst, left + (Math.max(0, now - at) / 1000) * perSecond);

  const forget = (now: number) => {
    for (const [address, bucket] of buckets) {
      if (buckets.size <= most && refilled(bucket, now) < burst) return;
      buckets.delete(address);
    }
  };

  return {
    take(address) {
      const now = clock.now();
      const known = buckets.get(address);
      const left = known ? refilled(known, now) : burst;
      const isAllowed = left >= 1;
      buckets.delete(address);
      buckets.set(address, { left: isAllowed ? left - 1 : left, at: now });
      forget(now);
      return isAllowed ? 0 : Math.ceil(((1 - left) / perSecond) * 1000);
    },
  };
}
