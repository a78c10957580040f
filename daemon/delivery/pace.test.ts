// A client drops what comes faster than it takes, and says nothing: so nothing goes faster.
import { expect, test } from "vitest";
import { createPace } from "./pace.ts";

/** What a client takes of one sender: 30 at once, then one each two seconds. */
const BURST = 30;
const REFILL_MS = 2000;

test("never more than a client takes, not even when the daemon has just forgotten what it wrote before", () => {
  let now = 0;
  let left = BURST;
  let refilled = 0;
  const write = () => {
    left = Math.min(BURST, left + Math.floor((now - refilled) / REFILL_MS));
    refilled += Math.floor((now - refilled) / REFILL_MS) * REFILL_MS;
    left--;
    expect(left).toBeGreaterThanOrEqual(0);
  };
  for (const _ of ["first life", "second"]) {
    const pace = createPace({ now: () => now });
    for (let i = 0; i < 100; i++) {
      now += pace.wait();
      expect(pace.wait()).toBe(0);
      pace.take();
      write();
    }
  }
});

test("after a rest several may go at once again", () => {
  let now = 0;
  const pace = createPace({ now: () => now });
  const free = () => {
    let count = 0;
    for (; pace.wait() === 0; count++) pace.take();
    return count;
  };
  expect(free()).toBe(10);
  expect(pace.wait()).toBe(2500);
  now += 5000;
  expect(free()).toBe(2);
  now += 3_600_000;
  expect(free()).toBe(10);
});
