/**
 * How much one connection may send: a token bucket for frames and one for bytes. Who empties one has to rest until a
 * quarter of it is there again; what comes meanwhile is refused and costs nothing but the patience of the broker.
 */
import type { Clock } from "#protocol/ports.ts";
import type { BrokerLimits } from "../limits.ts";

export type Excess = {
  /** How long the rest takes. */
  retryAfterMs: number;
  /** More has come than can have been on its way when the sender was told to rest. */
  isIgnored: boolean;
};

export type Pace = {
  /** Counts a frame. Null: within the pace. */
  take(size: number): Excess | null;
  /** What was taken is as much work as so many frames more. */
  charge(frames: number): void;
};

export function createPace(clock: Clock, limits: BrokerLimits): Pace {
  let at = clock.now();
  let frames = limits.frameBurst;
  let bytes = limits.byteBurst;
  let restUntil = at;
  let ignored = { frames: 0, bytes: 0 };

  const refill = (now: number) => {
    const seconds = Math.max(0, now - at) / 1000;
    at = now;
    frames = Math.min(limits.frameBurst, frames + seconds * limits.framesPerSecond);
    bytes = Math.min(limits.byteBurst, bytes + seconds * limits.bytesPerSecond);
  };

  const restMs = () => {
    const forFrames = (limits.frameBurst / 4 - frames) / limits.framesPerSecond;
    const forBytes = (limits.byteBurst / 4 - bytes) / limits.bytesPerSecond;
    return 1000 * Math.max(forFrames, forBytes);
  };

  return {
    take(size) {
      const now = clock.now();
      refill(now);
      if (now >= restUntil) {
        if (frames > 0 && bytes > 0) {
          frames--;
          bytes -= size;
          return null;
        }
        restUntil = now + restMs();
        ignored = { frames: 0, bytes: 0 };
      }
      ignored.frames++;
      ignored.bytes += size;
      const isIgnored = ignored.frames > limits.ignoredFrames || ignored.bytes > limits.ignoredBytes;
      return { retryAfterMs: restUntil - now, isIgnored };
    },
    charge(more) {
      frames -= more;
    },
  };
}
