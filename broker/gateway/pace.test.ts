import { expect, test } from "vitest";
import { createVirtualTime } from "#test/virtual-time.ts";
import { BROKER_LIMITS, type BrokerLimits } from "../limits.ts";
import { createPace } from "./pace.ts";

function paced(changes: Partial<BrokerLimits> = {}) {
  const time = createVirtualTime();
  const slow = { frameBurst: 100, framesPerSecond: 50, ignoredFrames: 20 };
  const pace = createPace(time.clock, { ...BROKER_LIMITS, ...slow, ...changes });
  const takeMany = (count: number, size = 1) => Array.from({ length: count }, () => pace.take(size)).at(-1);
  return { ...time, ...pace, takeMany };
}

test("a burst is within the pace, one frame more isn't", () => {
  const { takeMany } = paced();
  expect(takeMany(100)).toBeNull();
  expect(takeMany(1)).toEqual({ retryAfterMs: 500, isIgnored: false });
});

test("who rests as long as it was told may send a quarter of a burst, whatever was still on its way", async () => {
  const { takeMany, pass } = paced();
  takeMany(100);
  expect(takeMany(20)).toEqual({ retryAfterMs: 500, isIgnored: false });
  await pass(499);
  expect(takeMany(1)).not.toBeNull();
  await pass(1);
  expect(takeMany(25)).toBeNull();
  expect(takeMany(1)).not.toBeNull();
});

test("who goes on sending ignores what it was told", async () => {
  const { takeMany } = paced();
  takeMany(100);
  expect(takeMany(20)).toMatchObject({ isIgnored: false });
  expect(takeMany(1)).toMatchObject({ isIgnored: true });
});

test("who sends a little faster than it may doesn't get through by it", async () => {
  const { take, takeMany, pass } = paced();
  takeMany(100);
  const taken = [];
  for (let i = 0; i < 60; i++) {
    taken.push(take(1));
    await pass(15);
  }
  expect(taken.some((excess) => excess?.isIgnored)).toBe(true);
});

test("bytes count as frames do", async () => {
  const { take, pass } = paced({ byteBurst: 1000, bytesPerSecond: 500, ignoredBytes: 2000 });
  expect(take(1500)).toBeNull();
  expect(take(1000)).toEqual({ retryAfterMs: 1500, isIgnored: false });
  expect(take(1001)).toMatchObject({ isIgnored: true });
  await pass(1500);
  expect(take(500)).toBeNull();
});

test("what is much work costs more than a frame", async () => {
  const { take, charge, takeMany } = paced();
  charge(60);
  expect(takeMany(40)).toBeNull();
  expect(take(1)).not.toBeNull();
});
