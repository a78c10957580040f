import { expect, test } from "vitest";
import { createWallClock, systemClock } from "./clock.ts";

test("the clock has fractions, follows the wall through a sleep and through corrections, and else never runs backwards", () => {
  let wall = 1_000_000;
  let monotonic = 5;
  const { now } = createWallClock(
    () => Math.floor(wall),
    () => monotonic,
  );
  const run = (ms: number) => {
    wall += ms;
    monotonic += ms;
  };
  const start = now();
  run(0.25);
  expect(now()).toBeCloseTo(start + 0.25, 6);
  wall += 3_600_000; // asleep: only the wall went on
  expect(now()).toBeCloseTo(1_000_000.25 + 3_600_000, -1);
  const awake = now();
  run(0.5);
  expect(now()).toBeCloseTo(awake + 0.5, 6);
  wall -= 60_000; // set back
  expect(now()).toBeCloseTo(awake - 60_000, -1);
});

test("the system's clock tells today", () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(100);
});
