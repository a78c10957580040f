/**
 * Slows down who guesses. A try counts as a failure from its beginning, so that a hundred at once are a hundred; whoever
 * turns out to be right takes it back. A try made too early isn't judged and makes the wait no longer.
 */
import { MeshError } from "#protocol/errors.ts";
import type { Clock } from "#protocol/ports.ts";

export type SlowDown = MeshError & { retryAfterMs: number };

export function slowDown(message: string, retryAfterMs: number): SlowDown {
  const error = new MeshError("slow_down", message, `Try again in ${inWords(retryAfterMs)}.`);
  return Object.assign(error, { retryAfterMs: Math.ceil(retryAfterMs) });
}

export type Throttle = {
  /** Counts a try under each key, or answers how many ms are left until one may be made. */
  begin(keys: readonly string[]): Try | { waitMs: number };
};

export type Try = {
  waitMs: 0;
  /** It was right: all failures under `forgiven` are forgotten, under the other keys only this try. */
  succeed(forgiven: string): void;
};

export const LOGIN_THROTTLE = {
  /** Failures that cost nothing. */
  free: 3,
  /** After the next; each further one doubles it. */
  firstMs: 1000,
  longestMs: 15 * 60_000,
  /** Without a failure for so long, they are forgotten. */
  forgetMs: 3_600_000,
  /** Keys remembered; the one that failed longest ago goes. */
  most: 50_000,
};

type Failures = { count: number; lastAt: number; until: number };

export function createThrottle(clock: Clock, limits = LOGIN_THROTTLE): Throttle {
  /** In the order of their last failure. */
  const failures = new Map<string, Failures>();

  const known = (key: string, now: number): Failures | undefined => {
    const found = failures.get(key);
    if (!found || now - found.lastAt < limits.forgetMs) return found;
    failures.delete(key);
    return undefined;
  };

  const fail = (key: string, now: number): (() => void) => {
    const before = known(key, now);
    const count = (before?.count ?? 0) + 1;
    const beyond = count - limits.free;
    const waitMs = beyond > 0 ? Math.min(limits.longestMs, limits.firstMs * 2 ** (beyond - 1)) : 0;
    const after = { count, lastAt: now, until: now + waitMs };
    failures.delete(key);
    failures.set(key, after);
    const [oldest] = failures.keys();
    if (failures.size > limits.most && oldest !== undefined) failures.delete(oldest);
    return () => {
      const current = failures.get(key);
      if (current === after && before) failures.set(key, before);
      else if (current === after) failures.delete(key);
      else if (current) current.count--;
    };
  };

  return {
    begin(keys) {
      const now = clock.now();
      const waitMs = Math.max(0, ...keys.map((key) => (known(key, now)?.until ?? now) - now));
      if (waitMs > 0) return { waitMs };
      const takeBack = keys.map((key) => fail(key, now));
      return {
        waitMs: 0,
        succeed(forgiven) {
          for (const undo of takeBack) undo();
          failures.delete(forgiven);
        },
      };
    },
  };
}

function inWords(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds} ${seconds === 1 ? "second" : "seconds"}`;
  return `${Math.ceil(seconds / 60)} minutes`;
}
